// Faults of memory accesses and jumps: null, wild, without the right to.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "analysis/blame.h"
#include "analysis/crash_address.h"
#include "analysis/crash_cause.h"
#include "analysis/death_words.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr int32_t code_not_mapped = 1;  // SEGV_MAPERR

bool is_executable(Target& target, uint64_t address) {
  const TargetMapping* mapping = mapping_at(target, address);
  return mapping != nullptr && mapping->is_executable;
}

bool is_near_null(uint64_t address) { return address < null_page_end || 0 - address <= null_page_end; }

std::string offset_words(uint64_t address) {
  if (address == 0) return "";
  if (address < null_page_end) return fmt::format(" (offset {})", address);
  return fmt::format(" (offset -{})", 0 - address);
}

// ---- jumps

enum class Calls : uint8_t { any, through_a_value };  // a value: in a register or in memory

// The call that left this return address, if it is one of these.
std::optional<InstructionOperands> call_before(CrashScene& scene, uint64_t return_address, Calls wanted) {
  auto disassembler = Disassembler::make();
  if (!disassembler) return {};
  for (uint64_t length = 2; length <= 7; ++length) {
    std::array<std::byte, 7> code;
    Bytes bytes = std::span(code).first(length);
    if (!scene.target.memory().read(return_address - length, std::span(code).first(length))) continue;
    auto call = disassembler->operands(bytes, return_address - length);
    const bool is_call = call && call->flow == Flow::call && call->text.size == length;
    if (is_call && (wanted == Calls::any || !call->text.target)) return call;
  }
  return {};
}

// That it led here can be proved while the register, or the word in memory, still has the address.
bool leads_to(CrashScene& scene, const InstructionOperands& call, uint64_t goal) {
  if (call.flow_register) return value_of(scene.registers(), *call.flow_register) == goal;
  if (call.memory.empty()) return false;
  auto address = call.memory.front().address(scene.registers());
  return address && scene.target.memory().word(*address) == goal;
}

// Where no code is, nobody is to blame: the innermost caller that no rule passes over.
void blame_caller(const CrashScene& scene, CrashVerdict& verdict) {
  const std::vector<ReportFrame>& frames = scene.stack.frames;
  for (size_t i = 1; i < frames.size() && !verdict.frame; ++i)
    if (skipping_rule(blame_rules(), frames[i]) == nullptr) verdict.frame = i;
  verdict.frame_reason = "the caller, as no code is at the innermost frame";
}

void tell_caller(CrashScene& scene, CrashVerdict& verdict) {
  uint64_t rip = scene.registers().rip;
  bool has_caller = scene.walked.frames.size() > 1;
  blame_caller(scene, verdict);
  std::optional<InstructionOperands> call;
  if (has_caller) call = call_before(scene, scene.walked.frames[1].address, Calls::through_a_value);
  if (call && leads_to(scene, *call, rip)) {
    // What was found by looking at the stack is proved.
    auto [from, to] = report_frames(scene.stack, 1, 1);
    for (size_t i = from; i < to; ++i) scene.stack.frames[i].found_by = FoundBy::unwind_table;
    scene.walked.frames[1].found_by = FoundBy::unwind_table;
    scene.caller_call = call;
    verdict.evidence.push_back(
        fmt::format("the caller's {} {} leads there: it is {:#x}", call->text.operation, call->text.operands, rip));
    return;
  }
  // A call, or the jump with which a function ends in another one, would have a return address on top of the stack, and
  // below it whatever lay there: 0, as like as not.
  bool was_popped = scene.target.memory().word(scene.registers().rsp - 8) == rip;
  const auto top = scene.target.memory().word(scene.registers().rsp);
  bool is_called = top && call_before(scene, *top, Calls::any);
  if (!is_called && was_popped) {
    verdict.cause = CrashCause::bad_return;
    verdict.confidence = Confidence::likely;
    verdict.what = "Returned to where no code is: the return address was overwritten";
    verdict.evidence.push_back(fmt::format(
        "the word that a return has just taken from the stack, at {:#x}, is that address", scene.registers().rsp - 8));
    verdict.frame_reason = "what the stack still leads to: where it should have returned to is overwritten";
    return;
  }
  if (has_caller) {
    verdict.confidence = Confidence::likely;
    verdict.evidence.emplace_back("the return address on top of the stack stands behind a call");
  } else {
    verdict.evidence.emplace_back("nothing on top of the stack tells where it came from");
  }
}

// ---- operands

enum class Access : uint8_t { unknown, read, write };

Access access_of(const CrashScene& scene) {
  const MemoryOperand* operand = scene.failed_operand();
  if (operand == nullptr) return Access::unknown;
  // What is read to be written back is checked for the right to write.
  if (operand->writes) return Access::write;
  return operand->reads ? Access::read : Access::unknown;
}

CrashCause one_of(Access access, CrashCause unknown, CrashCause read, CrashCause write) {
  return access == Access::write ? write : access == Access::read ? read : unknown;
}

std::string_view verb_of(Access access) {
  return access == Access::write ? "Wrote" : access == Access::read ? "Read" : "Used memory";
}

// "mov qword ptr [rdi + 0x18], rsi: rdi is 0, so [rdi + 0x18] is 0x18"
void tell_operand(const CrashScene& scene, CrashVerdict& verdict) {
  if (!scene.instruction) {
    verdict.evidence.emplace_back(
        "the instruction is not known: its bytes are not in the core, or mean nothing to culprit's disassembler");
    return;
  }
  std::string words = instruction_words(*scene.instruction);
  const MemoryOperand* operand = scene.failed_operand();
  if (operand == nullptr && scene.instruction->flow != Flow::on && scene.address) {
    verdict.evidence.push_back(fmt::format("the instruction is {}: it leads to {:#x}", words, *scene.address));
    return;
  }
  if (operand == nullptr) {
    verdict.evidence.push_back(fmt::format("the instruction is {}; which part of it failed is not known", words));
    return;
  }
  std::string values;
  for (auto reg : {operand->base, operand->index})
    if (reg)
      values += fmt::format("{}{} is {:#x}", values.empty() ? "" : ", ", register_name(*reg),
                            value_of(scene.registers(), *reg));
  verdict.evidence.push_back(fmt::format("the instruction is {}{}{}", words, values.empty() ? "" : ": ", values));
}

CrashVerdict null_access(const CrashScene& scene, uint64_t address) {
  Access access = access_of(scene);
  CrashVerdict verdict;
  verdict.cause = one_of(access, CrashCause::null_access, CrashCause::null_read, CrashCause::null_write);
  const MemoryOperand* operand = scene.failed_operand();
  bool is_by_null =
      operand == nullptr || !operand->base || operand->index || value_of(scene.registers(), *operand->base) == 0;
  verdict.what = fmt::format("{} through a {}null pointer", verb_of(access), is_by_null || address == 0 ? "" : "near-");
  verdict.offset_words = offset_words(address);
  // An index may as well be what is wrong.
  if (operand != nullptr && operand->index && value_of(scene.registers(), *operand->index) != 0)
    verdict.confidence = Confidence::likely;
  return verdict;
}

CrashVerdict access_in_mapping(const CrashScene& scene, const TargetMapping& mapping) {
  Access access = access_of(scene);
  // The fault itself says that the right to write was missing: all else is allowed there.
  bool is_write = access != Access::read && mapping.is_readable && !mapping.is_writable;
  if (is_write)
    return {.cause = CrashCause::read_only_write,
            .confidence = access == Access::write ? Confidence::certain : Confidence::likely,
            .what = fmt::format("Wrote to read-only memory of {}", mapping_words(mapping))};
  return {
      .cause = CrashCause::protected_access,
      .what = fmt::format("{} where it may not: {} is {}", access == Access::unknown ? "Used memory" : verb_of(access),
                          mapping_words(mapping), rights_words(mapping))};
}

CrashVerdict wild_access(const CrashScene& scene, uint64_t address) {
  Access access = access_of(scene);
  CrashVerdict verdict;
  if (!is_canonical(address)) {
    verdict.cause = CrashCause::non_canonical;
    verdict.what = fmt::format("{} through {:#x}, which is no address", verb_of(access), address);
    return verdict;
  }
  verdict.cause = one_of(access, CrashCause::wild_access, CrashCause::wild_read, CrashCause::wild_write);
  verdict.what = fmt::format("{} at {:#x}, where nothing is mapped", verb_of(access), address);
  return verdict;
}

// The processor tells no address: it is that of the operand that is not at a multiple of its size.
std::optional<CrashVerdict> misaligned(CrashScene& scene, uint16_t smallest, std::string_view why) {
  constexpr uint16_t largest = 64;
  if (!scene.instruction) return {};
  for (size_t i = 0; i < scene.instruction->memory.size(); ++i) {
    const MemoryOperand& operand = scene.instruction->memory[i];
    auto address = operand.address(scene.registers());
    bool is_it = operand.size >= smallest && operand.size <= largest && address && *address % operand.size != 0;
    if (!is_it) continue;
    scene.address = *address;
    scene.failed = i;
    CrashVerdict verdict{.cause = CrashCause::misaligned,
                         .confidence = Confidence::likely,
                         .what = fmt::format("Used {:#x}, which is not aligned to {} bytes", *address, operand.size)};
    tell_operand(scene, verdict);
    verdict.evidence.emplace_back(why);
    return verdict;
  }
  return {};
}

}  // namespace

std::optional<CrashVerdict> cause_of_jump(CrashScene& scene) {
  if (scene.info().signal != SIGSEGV || is_executable(scene.target, scene.registers().rip)) return {};
  uint64_t rip = scene.registers().rip;
  CrashVerdict verdict;
  const TargetMapping* mapping = mapping_at(scene.target, rip);
  if (is_near_null(rip)) {
    verdict.cause = CrashCause::null_call;
    verdict.what = rip == 0 ? "Called a null function pointer" : "Called through a null pointer";
    verdict.offset_words = offset_words(rip);
  } else if (mapping != nullptr) {
    verdict.cause = CrashCause::data_execution;
    verdict.what = fmt::format("Jumped into data at {:#x}, which is not executable", rip);
  } else {
    verdict.cause = CrashCause::bad_jump;
    verdict.what = fmt::format("Jumped to {:#x}, where no code is", rip);
  }
  scene.address = rip;
  tell_caller(scene, verdict);
  return verdict;
}

std::optional<CrashVerdict> cause_of_address(CrashScene& scene) {
  if (scene.info().signal != SIGSEGV) return {};
  if (!scene.address) {
    if (scene.instruction && scene.instruction->is_privileged)
      return CrashVerdict{.cause = CrashCause::privileged_instruction,
                          .what = "Executed a privileged instruction, which is the kernel's alone",
                          .evidence = {fmt::format("the instruction is {}", instruction_words(*scene.instruction))}};
    constexpr uint16_t smallest_vector = 16;
    if (auto verdict = misaligned(scene, smallest_vector, "such an instruction demands that its operand is aligned"))
      return verdict;
    CrashVerdict verdict{.cause = CrashCause::unknown, .what = "Died of SIGSEGV at an address that is not known"};
    tell_operand(scene, verdict);
    return verdict;
  }
  uint64_t address = *scene.address;
  const TargetMapping* mapping = mapping_at(scene.target, address);
  CrashVerdict verdict;
  bool is_jump = !scene.failed && scene.instruction && scene.instruction->flow != Flow::on;
  const bool is_return = is_jump && scene.instruction->text.operation == "ret";
  if (is_return && !is_canonical(address))
    verdict = {
        .cause = CrashCause::bad_return,
        .what = fmt::format("Returned to {:#x}, which is no address: the return address was overwritten", address)};
  else if (is_jump && !is_canonical(address))
    verdict = {.cause = CrashCause::bad_jump, .what = fmt::format("Jumped to {:#x}, which is no address", address)};
  else if (is_near_null(address))
    verdict = null_access(scene, address);
  else if (mapping != nullptr && scene.info().signal_code != code_not_mapped)
    verdict = access_in_mapping(scene, *mapping);
  else
    verdict = wild_access(scene, address);
  tell_operand(scene, verdict);
  if (scene.is_address_deduced) {
    verdict.confidence = std::min(verdict.confidence, Confidence::likely);
    verdict.evidence.emplace_back(
        "nothing tells the address: it is that of the only operand that lies where "
        "it cannot be used");
  }
  return verdict;
}

std::optional<CrashVerdict> cause_of_file_end(CrashScene& scene) {
  const TargetInfo& info = scene.info();
  if (info.signal != SIGBUS) return {};
  constexpr int32_t code_alignment = 1, code_nothing_there = 2;
  if (info.signal_code == code_alignment)
    if (auto verdict = misaligned(scene, 2, "the program has asked for checks of alignment (the AC flag)"))
      return verdict;
  const TargetMapping* mapping = scene.address ? mapping_at(scene.target, *scene.address) : nullptr;
  CrashVerdict verdict{.cause = CrashCause::bus_error, .what = "Died of SIGBUS: "};
  // The original's code is lost where its handler raised it again.
  bool is_file_end = info.signal_code == code_nothing_there || scene.is_address_deduced;
  if (!is_file_end || mapping == nullptr || !is_of_file(*mapping)) {
    bool is_huge = info.signal_code == code_nothing_there && mapping != nullptr;
    verdict.what += is_huge ? "there was no memory left for a page of this mapping" : "the memory could not be used";
    tell_operand(scene, verdict);
    return verdict;
  }
  uint64_t offset = *scene.address - mapping->start + mapping->offset;
  verdict.cause = CrashCause::file_truncated;
  verdict.what = fmt::format("Used {} behind its end: the file has become shorter since it was mapped", mapping->path);
  verdict.evidence.push_back(fmt::format("the address is byte {} of the file{}", with_thousands(offset),
                                         mapping->is_deleted ? ", which was deleted" : ""));
  tell_operand(scene, verdict);
  if (scene.is_address_deduced) {
    verdict.confidence = Confidence::likely;
    verdict.evidence.emplace_back("nothing tells the address: it is that of the only operand in a mapped file");
  }
  return verdict;
}

}  // namespace culprit
