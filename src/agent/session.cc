#include "agent/session.h"

#include "agent/memory.h"
#include "agent/process.h"
#include "agent/raw_syscall.h"
#include "agent/receive_fd.h"

namespace culprit::agent {

namespace {

constexpr char session_variable[] = CULPRIT_SESSION_VARIABLE "=";
constexpr char preload_variable[] = "LD_PRELOAD=";

char** find_variable(char** environment, const char* prefix) {
  for (; environment != nullptr && *environment != nullptr; ++environment)
    if (starts_with(*environment, prefix)) return environment;
  return nullptr;
}

void remove_variable(char** entry) {
  for (; *entry != nullptr; ++entry) entry[0] = entry[1];
}

// Reads digits of `base` and the colon (or the end) behind them.
bool take_number(const char*& text, uint32_t base, uint64_t& value) {
  value = 0;
  const char* start = text;
  for (;; ++text) {
    uint32_t digit = *text >= '0' && *text <= '9'   ? static_cast<uint32_t>(*text - '0')
                     : *text >= 'a' && *text <= 'f' ? static_cast<uint32_t>(*text - 'a' + 10)
                                                    : 99;
    if (digit >= base) break;
    value = value * base + digit;
  }
  if (text == start || (*text != ':' && *text != 0)) return false;
  if (*text == ':') ++text;
  return true;
}

bool parse(const char* text, SessionText& session) {
  uint64_t pid = 0;
  uint64_t fd = 0;
  if (!take_number(text, 10, pid) || !take_number(text, 10, fd)) return false;
  size_t length = 0;
  for (; *text != ':' && *text != 0 && length < sizeof session.socket_name - 1; ++length)
    session.socket_name[length] = *text++;
  if (*text++ != ':' || !take_number(text, 16, session.id)) return false;
  session.collector_pid = static_cast<uint32_t>(pid);
  session.collector_fd = static_cast<uint32_t>(fd);
  session.restricted = text[0] == 'r';
  return true;
}

char* append_number(char* at, uint32_t number) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

// /proc/<collector>/fd/<number>: no round trip, but refused across user ids.
int64_t open_through_proc(const SessionText& text) {
  constexpr uint64_t at_fdcwd = static_cast<uint64_t>(-100), read_write_close_on_exec = 02 | 02000000;
  char path[64] = "/proc/";
  char* at = append_number(path + 6, text.collector_pid);
  memcpy(at, "/fd/", 4);
  *append_number(at + 4, text.collector_fd) = 0;
  return raw_syscall(__NR_openat, at_fdcwd, address_of(path), read_write_close_on_exec);
}

bool map_session(int64_t fd, uint64_t id) {
  constexpr uint64_t read_write = 3, shared_no_reserve = 0x4001, do_not_dump = 16;
  culprit_session head{};
  constexpr uint64_t needed = offsetof(culprit_session, agent_path);
  if (raw_syscall(__NR_pread64, static_cast<uint64_t>(fd), address_of(&head), needed, 0) != int64_t{needed})
    return false;
  if (head.magic != CULPRIT_SESSION_MAGIC || head.version != CULPRIT_WIRE_VERSION || head.session_id != id)
    return false;
  uint64_t slots = head.slot_count;
  if (head.slots_offset > head.total_size || slots > (head.total_size - head.slots_offset) / CULPRIT_SLOT_SIZE)
    return false;
  // Where the address space is limited, fewer threads can be recorded.
  int64_t base = -1;
  for (; slots > 0 && base < 0; slots /= 2) {
    process.slot_limit = static_cast<uint32_t>(slots);
    uint64_t size = head.slots_offset + slots * CULPRIT_SLOT_SIZE;
    base = raw_syscall(__NR_mmap, 0, size, read_write, shared_no_reserve, static_cast<uint64_t>(fd), 0);
    // Or every core dump of the victim would hold it.
    if (base >= 0) raw_syscall(__NR_madvise, static_cast<uint64_t>(base), size, do_not_dump);
  }
  if (base < 0) return false;
  process.base = reinterpret_cast<uint8_t*>(base);
  process.session = reinterpret_cast<culprit_session*>(base);
  process.tables_end = head.slots_offset;
  process.sample_bytes = head.sample_bytes;
  return true;
}

}  // namespace

bool take_session_value(const char* value, SessionText& text) {
  constexpr size_t name_length = sizeof session_variable - 1;
  size_t length = length_of(value, sizeof process.exec_variable);
  if (length >= sizeof process.exec_variable - name_length || !parse(value, text)) return false;
  memcpy(process.exec_variable, session_variable, name_length);
  memcpy(process.exec_variable + name_length, value, length + 1);
  // Without its ":r", which is said anew at each exec.
  if (text.restricted) process.exec_variable[name_length + length - 2] = 0;
  process.restricted = text.restricted;
  return true;
}

bool take_session_from(char** environment, SessionText& text, bool hide) {
  char** entry = find_variable(environment, session_variable);
  if (entry == nullptr) return false;
  const char* value = *entry + sizeof session_variable - 1;
  if (hide) remove_variable(entry);
  return take_session_value(value, text);
}

namespace {

// By its name: the session may be out of reach.
bool names_agent(const char* path, size_t length) {
  constexpr const char* names[] = {"/libculprit_agent.so", "/libculprit_agent_wrappers.so", "/libculprit_agent_heap.so"};
  for (const char* name : names) {
    size_t name_length = length_of(name, 64);
    if (length >= name_length && starts_with(path + length - name_length, name)) return true;
  }
  return false;
}

}  // namespace

void hide_preload_from(char** environment) {
  if (environment[0] != nullptr && starts_with(environment[0], CULPRIT_SANITIZER_ENTRY)) remove_variable(environment);
  char** entry = find_variable(environment, preload_variable);
  if (entry == nullptr) return;
  char* value = *entry + sizeof preload_variable - 1;
  char* rest = value;
  while (*rest != 0 && *rest != ':') ++rest;
  if (!names_agent(value, static_cast<size_t>(rest - value))) return;
  if (*rest == 0) return remove_variable(entry);
  memmove(value, rest + 1, length_of(rest + 1, 1 << 20) + 1);
}

void close_session() {
  uint64_t size = process.session->slots_offset + uint64_t{process.slot_limit} * CULPRIT_SLOT_SIZE;
  uint64_t base = address_of(process.base);
  process.base = nullptr;
  raw_syscall(__NR_munmap, base, size);
}

void make_room_for_limit() {
  constexpr uint64_t page = 4096, spare_slots = 8, spare_tables = 1 << 20;
  uint64_t base = address_of(process.base);
  uint64_t used = (process.session->tables_used + spare_tables + page - 1) & ~(page - 1);
  uint64_t tables_end = process.session->tables_offset + used;
  if (process.tables_end > tables_end) {
    raw_syscall(__NR_munmap, base + tables_end, process.tables_end - tables_end);
    process.tables_end = tables_end;
  }
  uint64_t kept = process.highest_slot + spare_slots;
  if (process.slot_limit > kept) {
    uint64_t surplus = (process.slot_limit - kept) * CULPRIT_SLOT_SIZE;
    process.slot_limit = static_cast<uint32_t>(kept);
    raw_syscall(__NR_munmap, base + process.session->slots_offset + kept * CULPRIT_SLOT_SIZE, surplus);
  }
}

bool open_session(const SessionText& text) {
  int64_t fd = open_through_proc(text);
  bool mapped = fd >= 0 && map_session(fd, text.id);
  if (fd >= 0) raw_syscall(__NR_close, static_cast<uint64_t>(fd));
  if (mapped) {
    process.collector_pid = text.collector_pid;
    return true;
  }
  fd = receive_fd(text.socket_name, text.id);
  mapped = fd >= 0 && map_session(fd, text.id);
  if (fd >= 0) raw_syscall(__NR_close, static_cast<uint64_t>(fd));
  return mapped;
}

}  // namespace culprit::agent
