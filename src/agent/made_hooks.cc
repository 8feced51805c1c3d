#include "agent/made_hooks.h"

#include <linux/fcntl.h>

#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

culprit_record made(uint32_t call, uint64_t value) {
  culprit_record record = new_record(CULPRIT_RECORD_OPEN, call);
  record.value = static_cast<int32_t>(value);
  return record;
}

const char* text_at(uint64_t address) { return reinterpret_cast<const char*>(address); }

// The fanotify handles made so far, so that read() need not look at what other files hold. A number that was closed and
// reused costs a look.
int32_t fanotify_handles[16];
uint32_t fanotify_count;

bool is_fanotify(uint64_t value) {
  for (int32_t handle : fanotify_handles)
    if (handle != 0 && handle == static_cast<int32_t>(value)) return true;
  return false;
}

}  // namespace

void made_one(const Registers& registers, uint32_t call) { emit(registers, made(call, registers.rax)); }

void made_named_by_first(const Registers& registers, uint32_t call) {
  culprit_record record = made(call, registers.rax);
  if (call == __NR_open) record.extra = registers.rsi;
  emit(registers, record, text_at(registers.rdi));
}

void made_named_by_second(const Registers& registers, uint32_t call) {
  culprit_record record = made(call, registers.rax);
  if (call == __NR_openat) record.extra = registers.rdx;
  emit(registers, record, text_at(registers.rsi));
}

void made_socket(const Registers& registers, uint32_t call) {
  culprit_record record = made(call, registers.rax);
  record.extra = (registers.rdi & 0xffff) | (registers.rsi & 0xffff) << 16 | registers.rdx << 32;
  emit(registers, record);
}

void made_pair(const Registers& registers, uint32_t call) {
  bool sockets = call == __NR_socketpair;
  auto* values = reinterpret_cast<const int32_t*>(sockets ? registers.r10 : registers.rdi);
  culprit_record record = made(call, static_cast<uint64_t>(values[0]));
  if (sockets) record.extra = (registers.rdi & 0xffff) | (registers.rsi & 0xffff) << 16 | registers.rdx << 32;
  int32_t second = values[1];
  emit(registers, record);
  record.value = second;
  emit(registers, record);
}

void made_duplicate(const Registers& registers, uint32_t call) {
  if (call != __NR_dup && registers.rdi == registers.rax) return;  // dup2(x, x) does nothing
  culprit_record record = made(call, registers.rax);
  record.kind = CULPRIT_RECORD_DUPLICATE;
  record.extra = registers.rdi & 0xffffffff;
  emit(registers, record);
}

void made_by_fcntl(const Registers& registers, uint32_t call) {
  constexpr uint32_t duplicate = 0, duplicate_close_on_exec = F_LINUX_SPECIFIC_BASE + 6;
  auto command = static_cast<uint32_t>(registers.rsi);
  if (command != duplicate && command != duplicate_close_on_exec) return;
  culprit_record record = made(call, registers.rax);
  record.kind = CULPRIT_RECORD_DUPLICATE;
  record.extra = registers.rdi & 0xffffffff;
  emit(registers, record);
}

void made_by_signalfd(const Registers& registers, uint32_t call) {
  if (static_cast<int32_t>(registers.rdi) == -1) made_one(registers, call);  // else an existing one was changed
}

void note_fanotify(int32_t value) {
  fanotify_handles[__atomic_fetch_add(&fanotify_count, 1, __ATOMIC_RELAXED) % 16] = value;
  process.fanotify_in_use = true;
}

void made_by_fanotify_init(const Registers& registers, uint32_t call) {
  note_fanotify(static_cast<int32_t>(registers.rax));
  made_one(registers, call);
}

void made_by_fanotify_read(const Registers& registers, uint32_t call) {
  if (!process.fanotify_in_use) return;
  // struct fanotify_event_metadata (linux/fanotify.h): event_len, vers, reserved, metadata_len, mask, fd, pid.
  struct Event {
    uint32_t length;
    uint8_t version, reserved;
    uint16_t metadata_length;
    uint64_t mask;
    int32_t value, pid;
  };
  uint64_t size = registers.rax;
  if (size < sizeof(Event) || !is_fanotify(registers.rdi)) return;
  for (uint64_t offset = 0; offset + sizeof(Event) <= size;) {
    auto& event = *reinterpret_cast<const Event*>(registers.rsi + offset);
    if (event.version != 3 || event.length < sizeof(Event) || event.length > size - offset) return;
    if (event.value >= 0) emit(registers, made(call, static_cast<uint64_t>(event.value)));
    offset += event.length;
  }
}

void made_by_bpf(const Registers& registers, uint32_t call) {
  // linux/bpf.h enum bpf_cmd: MAP_CREATE, PROG_LOAD, OBJ_GET, PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN,
  // BTF_LOAD, BTF_GET_FD_BY_ID, LINK_CREATE, LINK_GET_FD_BY_ID, ENABLE_STATS, ITER_CREATE, TOKEN_CREATE
  constexpr uint64_t makers = 1ull << 0 | 1ull << 5 | 1ull << 7 | 1ull << 13 | 1ull << 14 | 1ull << 17 | 1ull << 18 |
                              1ull << 19 | 1ull << 28 | 1ull << 30 | 1ull << 32 | 1ull << 33 | 1ull << 36;
  auto command = static_cast<uint32_t>(registers.rdi);
  if (command < 64 && (makers >> command & 1) != 0) made_one(registers, call);
}

void made_by_seccomp(const Registers& registers, uint32_t call) {
  constexpr uint64_t set_mode_filter = 1, new_listener = 8;
  if (static_cast<uint32_t>(registers.rdi) == set_mode_filter && (registers.rsi & new_listener) != 0)
    made_one(registers, call);
}

void made_by_getsockopt(const Registers& registers, uint32_t call) {
  constexpr uint32_t sol_socket = 1, so_peerpidfd = 77;
  if (static_cast<uint32_t>(registers.rsi) != sol_socket || static_cast<uint32_t>(registers.rdx) != so_peerpidfd)
    return;
  emit(registers, made(call, static_cast<uint64_t>(*reinterpret_cast<const int32_t*>(registers.r10))));
}

void received_one(const Registers& registers, uint32_t call) {
  culprit_record record = made(call, registers.rax);
  record.kind = CULPRIT_RECORD_RECEIVE;
  emit(registers, record);
}

}  // namespace culprit::agent
