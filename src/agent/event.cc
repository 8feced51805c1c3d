// What system calls of the program come to: their hooks, and the events these write.
#include "agent/call_tree.h"
#include "agent/hook_scope.h"
#include "agent/hooks.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/wrappers.h"

namespace culprit::agent {

namespace {

CallSite site_of(const Registers& registers) {
  if (__builtin_expect(registers.stub_index >= first_wrapper, 0)) {
    // A wrapper: the innermost frame to show is its caller, whose return address lies right behind the registers.
    auto* behind = reinterpret_cast<const uint64_t*>(&registers + 1);
    return {behind[0] - 1, behind[0], reinterpret_cast<uint64_t>(behind + 1), registers.rbp};
  }
  const StubData& data = stub_data(registers.stub_index);
  // vfork() has taken its return address from the stack into rdi when it calls: begin with its caller.
  if (stub_call(registers.stub_index) == __NR_vfork)
    return {registers.rdi - 1, registers.rdi, registers.rsp(), registers.rbp};
  return {data.lookup, data.resume, registers.rsp(), registers.rbp};
}

}  // namespace

culprit_record new_record(culprit_record_kind kind, uint32_t call) {
  culprit_record record{};
  record.kind = kind;
  record.call = static_cast<uint16_t>(call);
  record.tsc = tsc();
  return record;
}

uint32_t stack_of(const Registers& registers) {
  // A vfork child runs on memory of its parent, often on a stack made for it: the call that made it is the stack to
  // show.
  if (thread.vfork_child != 0) return thread.fork_node;
  return capture_stack(*thread.tree, site_of(registers));
}

void emit(const Registers& registers, culprit_record record, const char* name) {
  if (is_nested()) return defer(site_of(registers), record);
  if (name != nullptr) record.argument = name_id(*thread.tree, name);
  if (record.node == 0) record.node = stack_of(registers);
  if (record.node < first_node) record.node = 0;
  put(record);
}

void emit_without_stack(const Registers& registers, const culprit_record& record) {
  if (is_nested()) return defer(site_of(registers), record);
  put(record);
}

namespace {

// syscall() does not keep its number: remembered from before the call, found again by the stack pointer.
void remember_call(const Registers& registers) {
  uint8_t depth = thread.any_call_depth++ % 8;
  thread.any_calls[depth] = {registers.rsp(), static_cast<uint32_t>(registers.rax)};
}

uint32_t recall_call(const Registers& registers) {
  for (uint8_t back = 1; back <= 8; ++back) {
    auto& entry = thread.any_calls[static_cast<uint8_t>(thread.any_call_depth - back) % 8];
    if (entry.stack_pointer != registers.rsp()) continue;
    thread.any_call_depth = static_cast<uint8_t>(thread.any_call_depth - back);
    return entry.number;
  }
  return any_call;
}

}  // namespace

void before_call(Registers& registers, uint32_t call) {
  const Hook* hook = find_hook(call);
  if (hook == nullptr) return;
  if (hook->before_any != nullptr) hook->before_any(registers, call);
  if (hook->before == nullptr) return;
  in_hook(address_of(&registers), [&] { hook->before(registers, call); });
}

void after_call(const Registers& registers, uint32_t call) {
  const Hook* hook = find_hook(call);
  if (hook == nullptr) return;
  if (hook->after_any != nullptr) hook->after_any(registers, call);
  if (hook->after == nullptr) return;
  in_hook(address_of(&registers), [&] { hook->after(registers, call); });
}

extern "C" __attribute__((visibility("hidden"))) void culprit_before(Registers* registers) {
  uint32_t call = stub_call(registers->stub_index);
  if (call == any_call) {
    remember_call(*registers);
    call = static_cast<uint32_t>(registers->rax);
  }
  before_call(*registers, call);
}

extern "C" __attribute__((visibility("hidden"))) void culprit_after(Registers* registers) {
  uint32_t call = stub_call(registers->stub_index);
  after_call(*registers, call == any_call ? recall_call(*registers) : call);
}

}  // namespace culprit::agent
