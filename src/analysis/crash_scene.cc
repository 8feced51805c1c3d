#include "analysis/crash_scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "analysis/death_words.h"
#include "base/glob.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

constexpr size_t most_frames = 1'000'000;
constexpr size_t most_frames_named = 2048;  // beyond, nobody reads them
constexpr size_t longest_round = 64, furthest_start = 64, fewest_rounds = 3;
constexpr size_t longest_instruction = 15;

// How often frames[first, first + length) follow each other.
uint64_t rounds_of(const std::vector<WalkedFrame>& frames, size_t first, size_t length) {
  size_t at = first + length;
  while (at < frames.size() && frames[at] == frames[at - length]) ++at;
  return (at - first) / length;
}

// The repetition that explains most of the stack.
std::optional<Recursion> find_recursion(const std::vector<WalkedFrame>& frames) {
  std::optional<Recursion> best;
  for (size_t first = 0; first < std::min(frames.size(), furthest_start); ++first) {
    for (size_t length = 1; length <= longest_round && first + 2 * length <= frames.size(); ++length) {
      if (!(frames[first] == frames[first + length])) continue;
      uint64_t rounds = rounds_of(frames, first, length);
      if (rounds < fewest_rounds || (best && rounds * length <= best->rounds * best->frames)) continue;
      best = Recursion{first, length, rounds};
      if (rounds * length > frames.size() / 2) return best;
    }
  }
  return best;
}

size_t frame_when_folded(const Recursion& recursion, size_t frame) {
  size_t end = recursion.first + recursion.rounds * recursion.frames;
  if (frame >= end) return frame - (end - recursion.first - recursion.frames);
  return frame < recursion.first ? frame : recursion.first + (frame - recursion.first) % recursion.frames;
}

void fold(CrashScene& scene) {
  std::vector<WalkedFrame>& frames = scene.walked.frames;
  scene.depth = frames.size();
  scene.recursion = find_recursion(frames);
  if (scene.recursion) {
    if (scene.handled) scene.handled->frame = frame_when_folded(*scene.recursion, scene.handled->frame);
    auto from = frames.begin() + static_cast<ptrdiff_t>(scene.recursion->first + scene.recursion->frames);
    frames.erase(from, from + static_cast<ptrdiff_t>((scene.recursion->rounds - 1) * scene.recursion->frames));
  }
  if (frames.size() <= most_frames_named) return;
  frames.resize(most_frames_named);
  scene.walked.is_truncated = true;
}

// int3 leaves rip behind itself, where the next line may begin.
void step_back_from_breakpoint(CrashScene& scene) {
  std::byte before{};
  uint64_t& rip = scene.thread.registers.rip;
  bool is_read = scene.info().signal == SIGTRAP && scene.target.memory().read(rip - 1, std::span(&before, 1));
  if (is_read && before == std::byte{0xcc}) --rip;
}

// Who sends a signal to himself stands behind the system call, or at it if it begins again. A fault's handler that does
// so with the signal blocked, and returns, dies where the fault was.
bool find_raised_again(const CrashScene& scene) {
  const TargetInfo& info = scene.info();
  bool is_fault = info.signal == SIGSEGV || info.signal == SIGBUS || info.signal == SIGILL || info.signal == SIGFPE ||
                  info.signal == SIGTRAP;
  bool is_own = info.sender_pid != 0 && info.sender_pid == info.pid;
  if (!is_fault || !is_own || (info.signal_code != SI_TKILL && info.signal_code != SI_USER)) return false;
  uint64_t rip = scene.registers().rip;
  const TargetMapping* mapping = mapping_at(scene.target, rip);
  if (mapping == nullptr || !mapping->is_executable) return true;
  constexpr std::array system_call{std::byte{0x0f}, std::byte{0x05}};
  std::array<std::byte, 2> behind{}, at{};
  bool is_read = scene.target.memory().read(rip - behind.size(), behind) && scene.target.memory().read(rip, at);
  return is_read && behind != system_call && at != system_call;
}

void read_instruction(CrashScene& scene) {
  std::array<std::byte, longest_instruction> code;
  uint64_t rip = scene.registers().rip;
  const TargetMapping* mapping = mapping_at(scene.target, rip);
  if (mapping == nullptr || !mapping->is_executable) return;
  size_t size = std::min<uint64_t>(code.size(), mapping->end - rip);
  if (!scene.target.memory().read(rip, std::span(code).first(size))) return;
  auto disassembler = Disassembler::make();
  if (disassembler) scene.instruction = disassembler->operands(Bytes(code).first(size), rip);
}

bool covers(const MemoryOperand& operand, const Registers& registers, uint64_t address) {
  auto start = operand.address(registers);
  return start && address - *start < std::max<uint64_t>(operand.size, 1);
}

// A general protection fault tells no address: it is that of the operand which is none.
std::optional<uint64_t> find_non_canonical(CrashScene& scene) {
  if (!is_canonical(scene.registers().rip)) return scene.registers().rip;
  if (!scene.instruction) return {};
  const std::vector<MemoryOperand>& operands = scene.instruction->memory;
  for (size_t i = 0; i < operands.size(); ++i) {
    auto address = operands[i].address(scene.registers());
    if (!address || is_canonical(*address)) continue;
    scene.failed = i;
    return address;
  }
  // Where a jump leads: in a register, or in memory that can be read.
  if (scene.instruction->flow == Flow::on) return {};
  std::optional<uint64_t> goal;
  if (scene.instruction->flow_register) goal = value_of(scene.registers(), *scene.instruction->flow_register);
  if (!goal && !operands.empty())
    if (auto address = operands.front().address(scene.registers())) goal = scene.target.memory().word(*address);
  return goal && !is_canonical(*goal) ? goal : std::nullopt;
}

// Of a mapped file nothing tells how long it was: each of its bytes may lie behind its end.
bool may_be_used(const CrashScene& scene, const MemoryOperand& operand, uint64_t address) {
  const TargetMapping* mapping = mapping_at(scene.target, address);
  if (scene.info().signal == SIGBUS) return mapping == nullptr || !is_of_file(*mapping);
  if (mapping == nullptr) return false;
  return operand.writes ? mapping->is_writable : mapping->is_readable;
}

// Where nothing tells it, as in a core without siginfo (some of gcore): the only operand that lies where it could not
// be used.
void deduce_address(CrashScene& scene) {
  if (!scene.instruction) return;
  const std::vector<MemoryOperand>& operands = scene.instruction->memory;
  for (size_t i = 0; i < operands.size(); ++i) {
    auto address = operands[i].address(scene.registers());
    if (!address || may_be_used(scene, operands[i], *address)) continue;
    scene.failed = scene.failed ? std::nullopt : std::optional(i);
    scene.address = scene.failed ? address : std::nullopt;
    if (!scene.failed) return;
  }
  scene.is_address_deduced = scene.address.has_value();
}

void find_address(CrashScene& scene) {
  const TargetInfo& info = scene.info();
  bool is_memory_fault = info.signal == SIGSEGV || info.signal == SIGBUS;
  if (!is_memory_fault) return;
  if (has_fault_address(info)) {
    scene.address = info.fault_address;
    if (!scene.instruction) return;
    for (size_t i = 0; i < scene.instruction->memory.size() && !scene.failed; ++i)
      if (covers(scene.instruction->memory[i], scene.registers(), info.fault_address)) scene.failed = i;
  } else if (info.signal_code == SI_KERNEL) {
    scene.address = find_non_canonical(scene);
  } else if (scene.is_raised_again) {
    if (info.signal == SIGSEGV) scene.address = find_non_canonical(scene);
    if (!scene.address) deduce_address(scene);
  } else if (info.signal_code == 0 && info.sender_pid == 0) {
    deduce_address(scene);
  }
}

// What signal the kernel gives for a page fault: by what lies at its address.
void tell_page_fault(TargetInfo& death, const HandledSignal& handled, Target& target) {
  const TargetMapping* mapping = mapping_at(target, death.fault_address);
  if (mapping == nullptr) return;
  bool may_be_used = handled.is_fetch   ? mapping->is_executable
                     : handled.is_write ? mapping->is_writable
                                        : mapping->is_readable;
  death.signal = may_be_used ? SIGBUS : SIGSEGV;
  death.signal_code = may_be_used ? int{BUS_ADRERR} : int{SEGV_ACCERR};
}

CrashScene set(CrashScene scene, TargetStacks& stacks) {
  step_back_from_breakpoint(scene);
  scene.walked = stacks.walk(scene.thread, most_frames);
  scene.handled = handled_signal(scene.target.stack_memory(scene.thread), scene.walked);
  fold(scene);
  scene.stack = std::move(stacks.report(std::span(&scene.walked, 1)).front());
  read_instruction(scene);
  scene.is_raised_again = find_raised_again(scene);
  find_address(scene);
  return scene;
}

}  // namespace

bool is_of_file(const TargetMapping& mapping) { return !mapping.path.empty() && !mapping.path.starts_with('['); }

bool makes_fault(const CrashScene& scene) {
  if (!scene.instruction) return false;
  int32_t signal = scene.info().signal;
  if (signal == SIGFPE) return scene.instruction->is_division;
  if (signal == SIGILL) return scene.instruction->is_undefined;
  if (signal == SIGTRAP) return scene.instruction->is_breakpoint;
  return scene.failed.has_value() || (signal == SIGSEGV && scene.instruction->is_privileged);
}

const TargetMapping* mapping_above(Target& target, uint64_t address) {
  const std::vector<TargetMapping>& mappings = target.mappings();
  auto above = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  return above == mappings.end() ? nullptr : &*above;
}

const TargetMapping* mapping_at(Target& target, uint64_t address) {
  const std::vector<TargetMapping>& mappings = target.mappings();
  auto above = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  if (above == mappings.begin() || address >= std::prev(above)->end) return nullptr;
  return &*std::prev(above);
}

// Bits 63 to 47 are all alike; with five levels of page tables programs still get such addresses unless they ask.
bool is_canonical(uint64_t address) { return address >> 47 == 0 || address >> 47 == 0x1ffff; }

std::pair<size_t, size_t> report_frames(const ReportStack& stack, size_t first, size_t count) {
  size_t walked = 0, from = stack.frames.size(), to = from;
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    if (walked == first && from > i) from = i;
    if (!stack.frames[i].inlined && ++walked == first + count) {
      to = i + 1;
      break;
    }
  }
  return {from, to};
}

size_t walked_frame(const ReportStack& stack, size_t reported) {
  auto end = stack.frames.begin() + static_cast<ptrdiff_t>(std::min(reported, stack.frames.size()));
  return static_cast<size_t>(std::count_if(stack.frames.begin(), end, [](const auto& each) { return !each.inlined; }));
}

std::string instruction_words(const InstructionOperands& instruction) {
  const InstructionText& text = instruction.text;
  return text.operands.empty() ? text.operation : fmt::format("{} {}", text.operation, text.operands);
}

std::string frame_words(const ReportFrame& frame) {
  std::string name = frame.function.empty() ? "an unknown function" : qualified_name(frame.function);
  size_t slash = frame.file.rfind('/');
  std::string_view file = std::string_view(frame.file).substr(slash == frame.file.npos ? 0 : slash + 1);
  return file.empty() ? name : fmt::format("{} ({}:{})", name, file, frame.line);
}

std::optional<size_t> library_frame(const ReportStack& stack, std::string_view glob) {
  for (size_t i = 0; i < stack.frames.size() && i <= stack.blamed.value_or(stack.frames.size()); ++i)
    if (glob_matches(glob, qualified_name(stack.frames[i].function))) return i;
  return {};
}

CrashScene set_scene(Target& target, TargetNames& names, TargetStacks& stacks, const TargetThread& thread) {
  return set(CrashScene{.target = target, .names = names, .death = target.info(), .thread = thread}, stacks);
}

CrashScene scene_of_handled(const CrashScene& scene, TargetStacks& stacks) {
  const HandledSignal& handled = *scene.handled;
  CrashScene before{.target = scene.target, .names = scene.names, .death = scene.death, .thread = scene.thread};
  before.death.signal = handled.signal;
  before.death.signal_code = handled.code;
  before.death.fault_address = handled.address;
  before.death.sender_pid = handled.sender_pid;
  before.death.sender_uid = handled.sender_uid;
  if (handled.is_by_trap && handled.signal == SIGSEGV && handled.code == SEGV_MAPERR)
    tell_page_fault(before.death, handled, scene.target);
  uint64_t fs_base = scene.registers().fs_base, gs_base = scene.registers().gs_base;
  before.thread.registers = handled.registers;
  before.thread.registers.fs_base = fs_base;
  before.thread.registers.gs_base = gs_base;
  before.thread.known = RegistersKnown::all;
  before.thread.blocked_in.reset();
  return set(std::move(before), stacks);
}

}  // namespace culprit
