#include "agent/wrappers.h"

#include <asm/unistd.h>

#include "agent/hooks.h"
#include "agent/raw_syscall.h"
#include "agent/wrapped_functions.h"

extern "C" {
extern const char culprit_wrappers_are_linked[1] __attribute__((weak, visibility("hidden")));
// libc's own, since glibc 2.34; the wrapper library is the only part of the agent that asks libc for anything.
void* dlsym(void* handle, const char* name) __attribute__((weak));
}

namespace culprit::agent {

namespace {

struct Wrapped {
  const char* name;
  uint16_t call;
};

constexpr Wrapped functions[] = {
#define WRAPPED(function, call) {#function, call},
    CULPRIT_WRAPPED_FUNCTIONS(WRAPPED)
#undef WRAPPED
};
constexpr uint32_t function_count = sizeof functions / sizeof functions[0];

void* real_functions[function_count];

// A child that runs on its parent's memory (vfork, posix_spawn) comes through the same wrappers, and only its pid tells
// it apart.
bool in_borrowed_memory() { return !is_fork_child() && static_cast<uint32_t>(raw_syscall(__NR_getpid)) != process.pid; }

int64_t not_there() { return -1; }

}  // namespace

bool wrapping() { return culprit_wrappers_are_linked != nullptr; }

void find_wrapped_functions() {
  auto next_in_search_order = reinterpret_cast<void*>(-1L);  // RTLD_NEXT
  for (uint32_t i = 0; i < function_count; ++i) {
    real_functions[i] = dlsym == nullptr ? nullptr : dlsym(next_in_search_order, functions[i].name);
    if (real_functions[i] == nullptr) real_functions[i] = reinterpret_cast<void*>(not_there);
  }
}

extern "C" __attribute__((visibility("hidden"))) void* culprit_wrapper_before(Registers* registers) {
  auto index = static_cast<uint32_t>(registers->stub_index);
  registers->stub_index = first_wrapper + index;
  if (process.base != nullptr && !in_borrowed_memory()) before_call(*registers, functions[index].call);
  return real_functions[index];
}

extern "C" __attribute__((visibility("hidden"))) void culprit_wrapper_after(Registers* registers) {
  auto index = static_cast<uint32_t>(registers->stub_index - first_wrapper);
  if (process.base != nullptr && !in_borrowed_memory()) after_call(*registers, functions[index].call);
}

}  // namespace culprit::agent
