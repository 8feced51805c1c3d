// exec: the agent goes along, whatever environment the program gives the new image.
#include <asm/stat.h>

#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/table_hooks.h"

namespace culprit::agent {

namespace {

constexpr char preload_variable[] = "LD_PRELOAD=";
constexpr char sanitizer_variable[] = "ASAN_OPTIONS=";
constexpr size_t no_entry = ~size_t{0};

// Builds text in the slot's scratch memory, which stays valid until the kernel has copied it.
struct Scratch {
  char* next;
  char* end;
  bool full = false;

  void append(const char* text) {
    size_t length = length_of(text, static_cast<size_t>(end - next));
    if (length >= static_cast<size_t>(end - next)) {
      full = true;
      return;
    }
    memcpy(next, text, length);
    next += length;
  }
  const char* finish(char* start) {
    if (next >= end) full = true;
    if (!full) *next++ = 0;
    return start;
  }
};

// The kernel has not looked at the arguments yet. In a sandbox there is no asking, and they are believed.
bool can_read(const void* pointer, size_t size) { return process.restricted || readable(address_of(pointer), size); }

size_t entry_with(const char* const* environment, size_t count, const char* prefix) {
  for (size_t i = 0; i < count; ++i)
    if (starts_with(environment[i], prefix)) return i;
  return no_entry;
}

// `prefix` and `first`, and behind a colon what the old entry has behind `prefix`.
const char* joined_entry(Scratch& scratch, const char* prefix, const char* first, const char* old) {
  char* start = scratch.next;
  scratch.append(prefix);
  scratch.append(first);
  const char* others = old == nullptr ? "" : old + length_of(prefix, 64);
  if (*others != 0) {
    scratch.append(":");
    scratch.append(others);
  }
  return scratch.finish(start);
}

const char* session_entry(Scratch& scratch) {
  char* start = scratch.next;
  scratch.append(process.exec_variable);
  if (process.restricted) scratch.append(":r");
  return scratch.finish(start);
}

// The environment with the agent in it, in the slot's scratch; null if it does not fit.
const char** with_agent(const char* const* environment) {
  auto** list = reinterpret_cast<const char**>(thread.slot->scratch);
  constexpr size_t list_limit = CULPRIT_SCRATCH_SIZE * 3 / 4 / sizeof(char*);
  size_t count = 0;
  if (environment != nullptr) {
    // What the kernel would refuse is left to it.
    for (;; ++count) {
      if (count + 5 > list_limit || !can_read(&environment[count], sizeof(char*))) return nullptr;
      if (environment[count] == nullptr) break;
      if (!can_read(environment[count], 1)) return nullptr;
    }
  }
  for (size_t i = 0; i < count; ++i) list[1 + i] = environment[i];

  char* text = reinterpret_cast<char*>(list + count + 4);
  Scratch scratch{text, reinterpret_cast<char*>(thread.slot->scratch) + CULPRIT_SCRATCH_SIZE};
  auto old = [&](size_t index) { return index == no_entry ? nullptr : environment[index]; };
  size_t sanitizer = entry_with(environment, count, sanitizer_variable);
  size_t preload = entry_with(environment, count, preload_variable);
  constexpr const char* sanitizer_option = &CULPRIT_SANITIZER_ENTRY[sizeof sanitizer_variable - 1];
  list[0] = joined_entry(scratch, sanitizer_variable, sanitizer_option, old(sanitizer));
  const char* preload_list = joined_entry(scratch, preload_variable, process.session->agent_path, old(preload));
  list[preload == no_entry ? ++count : 1 + preload] = preload_list;
  list[++count] = session_entry(scratch);
  list[++count] = nullptr;
  return scratch.full ? nullptr : list;
}

// A set-uid program ignores LD_PRELOAD, so nobody would take the session out of its environment again.
bool changes_user(uint64_t directory, uint64_t path) {
  struct stat status {};
  if (process.restricted || raw_syscall(__NR_newfstatat, directory, path, address_of(&status), 0) < 0) return false;
  constexpr uint32_t set_user = 04000, set_group = 02000, group_execute = 010;
  return (status.st_mode & set_user) != 0 ||
         (status.st_mode & (set_group | group_execute)) == (set_group | group_execute);
}

bool agent_is_reachable() {
  constexpr uint64_t at_fdcwd = static_cast<uint64_t>(-100), readable = 4;
  return process.restricted ||
         raw_syscall(__NR_faccessat, at_fdcwd, address_of(process.session->agent_path), readable) == 0;
}

}  // namespace

void before_exec(Registers& registers, uint32_t call) {
  bool at = call == __NR_execveat;
  uint64_t path = at ? registers.rsi : registers.rdi;
  uint64_t& environment = at ? registers.r10 : registers.rdx;

  auto* name = reinterpret_cast<const char*>(path);
  emit(registers, new_record(CULPRIT_RECORD_EXEC, call), can_read(name, 1) ? name : nullptr);
  constexpr uint64_t at_fdcwd = static_cast<uint64_t>(-100);
  bool possible = follows() && agent_is_reachable() && !changes_user(at ? registers.rdi : at_fdcwd, path);
  const char** list = possible ? with_agent(reinterpret_cast<const char* const*>(environment)) : nullptr;
  if (list == nullptr) return count_lost(CULPRIT_LOST_EXEC_NOT_FOLLOWED);
  environment = address_of(list);
}

}  // namespace culprit::agent
