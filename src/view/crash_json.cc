#include "view/crash_json.h"

#include <fmt/format.h>

#include "model/signals.h"
#include "view/missing_modules_json.h"
#include "view/process_use_json.h"
#include "view/report_json.h"
#include "view/source_excerpt.h"
#include "view/target_json.h"

namespace culprit {
namespace {

Json registers_json(const CrashFault& fault) {
  if (fault.known == RegistersKnown::none) return nullptr;
  const Registers& r = fault.registers;
  if (fault.known == RegistersKnown::stack_only) return {{"rip", r.rip}, {"rsp", r.rsp}};
  return {{"rax", r.rax}, {"rbx", r.rbx}, {"rcx", r.rcx},       {"rdx", r.rdx},        {"rsi", r.rsi},
          {"rdi", r.rdi}, {"rip", r.rip}, {"rsp", r.rsp},       {"rbp", r.rbp},        {"r8", r.r8},
          {"r9", r.r9},   {"r10", r.r10}, {"r11", r.r11},       {"r12", r.r12},        {"r13", r.r13},
          {"r14", r.r14}, {"r15", r.r15}, {"eflags", r.eflags}, {"fs_base", r.fs_base}};
}

Json fault_json(const CrashReport& report) {
  const CrashFault& fault = report.fault;
  SignalCode code = signal_code(fault.signal, fault.code);
  return {{"signal", fault.signal == 0 ? Json(nullptr) : Json(signal_name(fault.signal))},
          {"number", fault.signal},
          {"code", fault.code},
          {"code_name", code.name},
          {"code_meaning", code.meaning},
          {"address", fault.address ? Json(*fault.address) : Json(nullptr)},
          {"address_is", utf8(fault.address_words)},
          {"thread", fault.tid},
          {"thread_name", utf8(fault.thread_name)},
          {"registers", registers_json(fault)}};
}

Json operand_json(const CrashOperand& operand) {
  Json registers = Json::object();
  for (const RegisterValue& value : operand.registers) registers[value.name] = value.value;
  return {{"text", operand.text},
          {"size", operand.size},
          {"reads", operand.reads},
          {"writes", operand.writes},
          {"registers", std::move(registers)}};
}

Json object_json(const CrashObject& object) {
  return {{"name", utf8(object.named.object)},
          {"offset", object.offset},
          {"pointer", utf8(object.named.pointer)},
          {"pointer_type", utf8(object.named.pointer_type)},
          {"is_virtual_table", object.named.is_virtual_table}};
}

Json code_json(const CrashCode& code) {
  Json instructions = Json::array();
  for (size_t i = 0; i < code.instructions.size(); ++i) {
    const InstructionText& each = code.instructions[i];
    instructions.push_back({{"address", each.address},
                            {"text", each.operation + (each.operands.empty() ? "" : " " + each.operands)},
                            {"failed", i == code.failed}});
  }
  return instructions;
}

Json stack_json(const CrashReport& report) {
  Json frames = frames_json(report.stack);
  size_t address = 0;
  for (size_t i = 0; i < frames.size() && address < report.addresses.size(); ++i) {
    frames[i]["address"] = report.addresses[address];
    if (!report.stack.frames[i].inlined) ++address;
  }
  return frames;
}

Json source_json(const CrashReport& report) {
  if (!report.culprit) return Json::array();
  const ReportFrame& frame = report.stack.frames[*report.culprit];
  return list_json(read_source_excerpt(frame.file, frame.line).lines, [](const SourceLine& line) {
    return Json{{"line", line.number}, {"text", utf8(line.text)}, {"blamed", line.blamed}};
  });
}

bool has_newer_source(const CrashReport& report) {
  if (!report.culprit) return false;
  const ReportFrame& frame = report.stack.frames[*report.culprit];
  return is_source_newer(report, read_source_excerpt(frame.file, frame.line));
}

Json recursion_json(const CrashReport& report) {
  if (!report.recursion) return nullptr;
  return {
      {"first", report.recursion->first}, {"frames", report.recursion->frames}, {"rounds", report.recursion->rounds}};
}

Json heap_block_json(const std::optional<HeapBlock>& block) {
  if (!block) return nullptr;
  return {{"address", block->address}, {"size", block->size}, {"in_use", block->is_in_use()}};
}

Json break_json(const HeapBreak& each) {
  return {{"chunk", each.chunk},
          {"what", utf8(each.what)},
          {"under_change", each.is_under_change},
          {"before", heap_block_json(each.before)},
          {"after", heap_block_json(each.after)}};
}

Json module_json(const CrashModule& module) {
  constexpr std::string_view symbols[] = {"none", "exported_symbol", "symbol_table", "debug_info"};
  return {{"path", utf8(module.module.path)},
          {"build_id", utf8(module.module.build_id)},
          {"symbols", symbols[static_cast<size_t>(module.symbols)]},
          {"note", utf8(module.note)}};
}

}  // namespace

Json crash_json(const CrashReport& report) {
  return {{"schema", json_schema},
          {"target", utf8(report.target)},
          {"kind", report.kind == TargetKind::core ? "core" : "live"},
          {"exact", report.exact},
          {"losses", losses_json(report.losses)},
          {"sentence", utf8(crash_sentence(report))},
          {"cause", word(info_of(report.verdict.cause).name)},
          {"confidence", name_of(report.verdict.confidence)},
          {"what", utf8(report.verdict.what)},
          {"evidence", list_json(report.verdict.evidence, utf8)},
          {"bucket", report.bucket},
          {"hash", report.hash},
          {"fault", fault_json(report)},
          {"operand", report.operand ? operand_json(*report.operand) : Json(nullptr)},
          {"object", report.object ? object_json(*report.object) : Json(nullptr)},
          {"operand_origin", utf8(report.code.origin)},
          {"code", code_json(report.code)},
          {"stack", stack_json(report)},
          {"depth", report.depth},
          {"truncated", report.stack.truncated},
          {"recursion", recursion_json(report)},
          {"blamed", report.culprit ? Json(*report.culprit) : Json(nullptr)},
          {"rule", utf8(report.rule)},
          {"owner", utf8(report.owner)},
          {"source", source_json(report)},
          {"source_is_newer", has_newer_source(report)},
          {"pid", report.pid},
          {"host_pid", report.host_pid == 0 ? Json(nullptr) : Json(report.host_pid)},
          {"executable", utf8(report.executable)},
          {"command", utf8(report.command)},
          {"use", report.use ? process_use_json(*report.use, report.handle_maker) : Json(nullptr)},
          {"cpu_time", report.cpu_time ? Json(*report.cpu_time) : Json(nullptr)},
          {"written", report.written == 0 ? Json(nullptr) : Json(report.written)},
          {"modules", list_json(report.modules, module_json)},
          {"missing_modules", missing_modules_json(report.threads.missing)},
          {"other_threads", threads_json(report.threads)},
          {"locks", report.locks ? locks_json(*report.locks) : Json(nullptr)},
          {"heap_damage", list_json(report.heap.breaks, break_json)},
          {"heap_damage_left_out", report.heap.breaks_left_out},
          {"next", list_json(report.next, utf8)}};
}

std::string crash_as_json(const CrashReport& report) { return json_text(crash_json(report)); }

}  // namespace culprit
