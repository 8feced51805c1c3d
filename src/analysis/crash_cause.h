// What ended a program, with the evidence. Each family of causes is a file; they are asked in the order of one table.
//
// A cause is named only where what it rests on is there: registers, the machine code, memory, names of functions. Where
// that is missing, a weaker one is named, which says less.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/crash_scene.h"
#include "model/crash.h"

namespace culprit {

struct CrashVerdict {
  CrashCause cause = CrashCause::none;
  Confidence confidence = Confidence::certain;
  std::string what;                   // begins the sentence: "Wrote through a null pointer"; foreign text is raw
  std::string offset_words;           // " (offset 24)", behind it where nothing better is known
  std::vector<std::string> evidence;  // sentences
  std::optional<size_t> frame;        // index into the stack: whom it is about, if not whom the rules blame
  std::string frame_reason;           // why that one
};

// Of a process that a signal ended; `none` if none did.
CrashVerdict find_cause(CrashScene& scene);

// The families. Nothing: it is none of theirs.
std::optional<CrashVerdict> cause_of_sender(CrashScene& scene);       // killed or raised
std::optional<CrashVerdict> cause_of_abort(CrashScene& scene);        // SIGABRT by the program itself
std::optional<CrashVerdict> cause_of_instruction(CrashScene& scene);  // SIGILL, SIGTRAP, SIGFPE, SIGSYS
std::optional<CrashVerdict> cause_of_stack_end(CrashScene& scene);    // stack overflow
std::optional<CrashVerdict> cause_of_file_end(CrashScene& scene);     // SIGBUS
std::optional<CrashVerdict> cause_of_jump(CrashScene& scene);         // no code at rip
std::optional<CrashVerdict> cause_of_address(CrashScene& scene);      // an operand in memory

}  // namespace culprit
