#include "agent/entries.h"

#include "agent/allocation_fronts.h"
#include "agent/allocator.h"
#include "agent/allocator_scope.h"
#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/stubs.h"
#include "agent/thread.h"

extern "C" {
void* dlsym(void* handle, const char* name) __attribute__((weak));
struct ObjectOfAddress {  // Dl_info of dlfcn.h
  const char* path;
  void* start;
  const char* symbol;
  void* symbol_address;
};
int dladdr(const void* address, ObjectOfAddress* found) __attribute__((weak));
}

namespace culprit::agent {

namespace {

constexpr uint64_t page_size = 4096, read = 1, write = 2, execute = 4;
constexpr uint64_t jump_size = 5;
// In a page of ours: the moved instructions, and behind them a jump to the function in front.
constexpr uint64_t place_size = 128, relay_at = CULPRIT_ENTRY_CODE;
static_assert(front_count * place_size <= page_size);

struct Entry {
  const Front* front;
  uint64_t function, place;
};

// A page within reach of a jump from `address`, and of the data that the code there uses. 0: there is none.
uint64_t page_near(uint64_t address) {
  constexpr uint64_t private_anonymous_no_replace = 0x100022, step = 1 << 20, reach = 1 << 30;
  for (uint64_t distance = step; distance < reach; distance += step) {
    for (uint32_t side = 0; side < 2; ++side) {
      uint64_t wanted = (side == 0 ? address - distance : address + distance) & ~(page_size - 1);
      int64_t got = raw_syscall(__NR_mmap, wanted, page_size, read | write, private_anonymous_no_replace, ~uint64_t{0});
      if (got == static_cast<int64_t>(wanted)) return wanted;
      if (got >= 0) raw_syscall(__NR_munmap, static_cast<uint64_t>(got), page_size);  // a kernel before 4.17
    }
  }
  return 0;
}

void put_jump(uint64_t at, uint64_t target) {
  auto* bytes = reinterpret_cast<uint8_t*>(at);
  auto distance = static_cast<int32_t>(target - (at + jump_size));
  bytes[0] = 0xe9;
  memcpy(bytes + 1, &distance, sizeof distance);
}

void put_relay(uint64_t at, const void* target) {
  constexpr uint8_t jump_by_memory[] = {0xff, 0x25, 0, 0, 0, 0};  // jmp *(%rip)
  memcpy(reinterpret_cast<void*>(at), jump_by_memory, sizeof jump_by_memory);
  memcpy(reinterpret_cast<void*>(at + sizeof jump_by_memory), &target, sizeof target);
}

// Where a program takes the address of a function of a library, its PLT stands for the function everywhere.
bool is_plt(uint64_t function) {
  auto* bytes = reinterpret_cast<const uint8_t*>(function);
  if (bytes[0] == 0xf3 && bytes[1] == 0x0f && bytes[2] == 0x1e) bytes += 4;  // endbr64
  if (bytes[0] == 0xf2) ++bytes;                                             // bnd
  return bytes[0] == 0xff && bytes[1] == 0x25;
}

uint64_t function_called(const char* name) {
  auto next_in_search_order = reinterpret_cast<void*>(-1L);  // RTLD_NEXT
  uint64_t function = address_of(dlsym(nullptr, name));      // RTLD_DEFAULT
  if (function != 0 && is_plt(function)) function = address_of(dlsym(next_in_search_order, name));
  return in_agent(function) ? 0 : function;
}

// Not where everybody's malloc is ours, be it through the program's PLT.
bool has_own_malloc() {
  uint64_t function = address_of(dlsym(nullptr, "malloc"));  // RTLD_DEFAULT
  return function != 0 && !in_agent(function) && !is_plt(function);
}

bool contains(const char* text, const char* part) {
  for (; *text != 0; ++text)
    if (starts_with(text, part)) return true;
  return false;
}

// That of the C++ libraries calls malloc.
bool is_usual_new(uint64_t function) {
  ObjectOfAddress object{};
  if (dladdr == nullptr || dladdr(reinterpret_cast<const void*>(function), &object) == 0) return true;
  return object.path != nullptr && (contains(object.path, "/libstdc++.") || contains(object.path, "/libc++"));
}

class Follower {
 public:
  // Nothing is changed yet: looking for names may allocate.
  void find(const Front* first, const Front* last) {
    for (const Front* front = first; front != last; ++front) {
      uint64_t function = function_called(front->name);
      // One with several names is what the first of them says.
      if (function != 0 && !is_known(function)) entries_[count_++] = {front, function, 0};
    }
  }

  bool follow() {
    if (count_ == 0) return true;
    uint64_t page = page_near(entries_[0].function);
    if (page == 0) return false;
    bool is_whole = true;
    for (uint32_t i = 0; i < count_; ++i) is_whole &= prepare(entries_[i], page + i * place_size);
    if (raw_syscall(__NR_mprotect, page, page_size, read | execute) < 0) return false;
    for (uint32_t i = 0; i < count_; ++i)
      if (entries_[i].place != 0) is_whole &= connect(entries_[i]);
    return is_whole;
  }

 private:
  bool is_known(uint64_t function) const {
    for (uint32_t i = 0; i < count_; ++i)
      if (entries_[i].function == function) return true;
    return false;
  }

  static bool prepare(Entry& entry, uint64_t place) {
    if (!request(CULPRIT_REQUEST_ENTRY, entry.function, place)) return false;
    memcpy(reinterpret_cast<void*>(place), thread.slot->reply_code, CULPRIT_ENTRY_CODE);
    put_relay(place + relay_at, entry.front->function);
    entry.place = place;
    return true;
  }

  // The code is not executable meanwhile: nothing of the allocator runs now.
  static bool connect(const Entry& entry) {
    uint64_t start = entry.function & ~(page_size - 1);
    uint64_t size = ((entry.function + jump_size + page_size - 1) & ~(page_size - 1)) - start;
    if (raw_syscall(__NR_mprotect, start, size, read | write) < 0) return false;
    put_jump(entry.function, entry.place + relay_at);
    *entry.front->real = reinterpret_cast<void*>(entry.place);
    return raw_syscall(__NR_mprotect, start, size, read | execute) >= 0;
  }

  Entry entries_[front_count];
  uint32_t count_ = 0;
};

bool find_and_follow() {
  real_allocator();  // found now, so that it is not looked for again when parts of it have been replaced
  const Front* fronts = all_fronts();
  const Front* operators = fronts + malloc_front_count;
  Follower follower;
  if (has_own_malloc()) follower.find(fronts, operators);
  uint64_t operator_new = function_called(operators->name);
  if (operator_new != 0 && !is_usual_new(operator_new)) follower.find(operators, fronts + front_count);
  return follower.follow();
}

}  // namespace

// A name that is not found leaves a message for the program's next dlerror(), in memory of malloc's. The message is
// taken back by a name that is found, and nothing of it is the program's.
bool follow_own_allocator() {
  if (dlsym == nullptr) return true;
  return in_allocator(~uint64_t{0}, [] {
    const bool is_followed = find_and_follow();
    dlsym(nullptr, "malloc");
    return is_followed;
  });
}

}  // namespace culprit::agent
