// The answer to "who crashed it?" as plain data: what happened, where, why and whose fault. All strings from outside
// are raw: who prints them makes them printable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/crash_cause.h"
#include "analysis/crash_code.h"
#include "analysis/crash_heap.h"
#include "analysis/crash_object.h"
#include "analysis/lock_analysis.h"
#include "analysis/thread_report.h"
#include "symbols/symbolizer.h"
#include "target/process_use.h"

namespace culprit {

struct CrashFault {
  int32_t signal = 0, code = 0;     // 0: none
  std::optional<uint64_t> address;  // that could not be used
  std::string address_words;        // what it is: "not mapped, 24 B below [stack]"
  uint32_t tid = 0;
  std::string thread_name;  // empty: unknown
  RegistersKnown known = RegistersKnown::none;
  Registers registers;
};

struct RegisterValue {
  std::string name;
  uint64_t value = 0;
};

// What could not be read or written.
struct CrashOperand {
  std::string text;                    // "[rdi + 0x18]"
  bool reads = false, writes = false;  // neither: not known
  uint16_t size = 0;
  std::vector<RegisterValue> registers;  // it is computed from
};

// Part of a module's identity, for those on the stack.
struct CrashModule {
  Module module;
  int64_t changed = 0;  // when its file was, in seconds since 1970; 0: unknown
  SymbolQuality symbols = SymbolQuality::none;
  std::string note;  // why there is no more to see, and what to do about it; empty: nothing
};

struct CrashReport {
  TargetKind kind = TargetKind::core;
  std::string target, executable, command;
  uint32_t pid = 0;
  uint32_t host_pid = 0;  // what the machine calls a process that was caught in another pid namespace; 0: no other
  CrashVerdict verdict;
  CrashFault fault;
  CrashCode code;
  std::optional<CrashOperand> operand;
  std::optional<CrashObject> object;   // what a programmer calls it
  ReportStack stack;                   // of the thread the page is about, repetitions taken out
  std::vector<uint64_t> addresses;     // absolute, of the frames that are not inlined
  std::optional<Recursion> recursion;  // its numbers are indexes into stack.frames
  uint64_t depth = 0;                  // frames of the stack with all repetitions
  std::optional<size_t> culprit;       // index into stack.frames: whom the page blames
  std::string rule, rule_reason;       // the last one that passed over a frame before the blamed one; empty: none did
  std::string owner, owner_reason;     // the one that makes the blamed frame an owner; empty: none does
  std::string bucket, hash;
  CrashHeap heap;
  ThreadReport threads;              // the others
  std::optional<LockReport> locks;   // only with something to tell
  std::optional<ProcessUse> use;     // of a process that is still there
  std::string handle_maker;          // who made most of its handles, in words; empty: not known
  std::optional<double> cpu_time;    // seconds that it had used
  int64_t written = 0;               // when the core was: seconds since 1970; 0: unknown
  std::vector<CrashModule> modules;  // the program first
  std::vector<std::string> next;     // what to look at next, sentences
  std::vector<MergedLoss> losses;
  bool exact = true;
};

// What makes a page more than numbers. All must outlive the call.
struct CrashHelpers {
  TargetNames& names;
  SymbolLookup lookup;
  std::function<ModuleSymbols(const Module&)> symbols;
  LockHelpers locks;
  ObjectLookup objects;  // empty: nothing is looked up
};

Result<CrashReport> report_crash(Target& target, const CrashHelpers& helpers);

}  // namespace culprit
