// Everything that the cause of a crash is told from: what the causes look at, and nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/handled_signal.h"
#include "analysis/report_stack.h"
#include "analysis/target_names.h"
#include "analysis/target_stacks.h"
#include "arch/instructions.h"
#include "target/target.h"

namespace culprit {

// A stretch of frames that repeats: recursion.
struct Recursion {
  size_t first = 0;   // index of its first frame, in the stack whose repetitions are taken out
  size_t frames = 0;  // of one round
  uint64_t rounds = 0;
};

struct CrashScene {
  Target& target;
  TargetNames& names;
  TargetInfo death;                                // what the page is about: signal, code, address, sender
  TargetThread thread;                             // that the signal came to
  WalkedStack walked;                              // its stack, repetitions taken out
  std::optional<Recursion> recursion;              // what was taken out: all rounds but one
  uint64_t depth = 0;                              // frames with all repetitions
  ReportStack stack;                               // of `walked`, with names and blame
  std::optional<InstructionOperands> instruction;  // at rip, if there is code
  std::optional<size_t> failed;                    // index into instruction->memory: what the fault is about
  std::optional<uint64_t> address;                 // that could not be used
  bool is_address_deduced = false;                 // nobody told it: an operand lies where nothing can be used
  bool is_raised_again = false;                    // by its process, and not here: as a handler does, and returns
  std::optional<HandledSignal> handled;            // in whose handler the thread stands
  std::optional<InstructionOperands> caller_call;  // that led to where no code is, if it is proved to have

  const TargetInfo& info() const { return death; }
  const Registers& registers() const { return thread.registers; }
  const MemoryOperand* failed_operand() const { return failed ? &instruction->memory[*failed] : nullptr; }
};

// The thread that died; of a target that did not die: its first one. `thread` must have all its registers.
CrashScene set_scene(Target& target, TargetNames& names, TargetStacks& stacks, const TargetThread& thread);
// What the thread was in when a signal came whose handler it stands in; `scene` must have one.
CrashScene scene_of_handled(const CrashScene& scene, TargetStacks& stacks);

// Not of what the kernel or the program made without one.
bool is_of_file(const TargetMapping& mapping);

// That the instruction at rip can make the fault that the signal is for.
bool makes_fault(const CrashScene& scene);

// The mapping that holds the address; null: none.
const TargetMapping* mapping_at(Target& target, uint64_t address);
// The first that lies above it; null: none.
const TargetMapping* mapping_above(Target& target, uint64_t address);
bool is_canonical(uint64_t address);
inline constexpr uint64_t null_page_end = 64 * 1024;  // below it no program may map anything (vm.mmap_min_addr)

// Frames of the report that stand for walked ones, with what is inlined into them: from, to.
std::pair<size_t, size_t> report_frames(const ReportStack& stack, size_t first, size_t count);
// The walked frame that a frame of the report stands for, or is inlined into.
size_t walked_frame(const ReportStack& stack, size_t reported);

// "mov eax, dword ptr [rdi]"
std::string instruction_words(const InstructionOperands& instruction);

// "Checkout::add (checkout.cc:88)", without parameters and template arguments; "an unknown function".
std::string frame_words(const ReportFrame& frame);

// The innermost frame whose function (without parameters and template arguments) matches the glob, of the frames before
// the first one of the program's own code; nothing: none does.
std::optional<size_t> library_frame(const ReportStack& stack, std::string_view glob);

}  // namespace culprit
