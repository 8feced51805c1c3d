#include "target/debugged_program.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cstring>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"

namespace culprit {

extern "C" {
std::atomic<uint64_t>* counted_calls = nullptr;
}

std::vector<CountedCase> counted_cases() {
  return {{"endbr", begins_with_endbr, address_of(begins_with_endbr)},
          {"push", begins_with_push, address_of(begins_with_push)},
          {"relative load", begins_with_relative_load, address_of(begins_with_relative_load)},
          {"call", begins_with_call, address_of(begins_with_call)},
          {"jump", begins_with_jump, address_of(begins_with_jump)},
          {"branch", has_branch, address_of(place_of_branch)},
          {"jrcxz", begins_with_loop, address_of(begins_with_loop)},
          {"indirect call", begins_with_indirect_call, address_of(begins_with_indirect_call)},
          {"call by the stack", has_stack_call, address_of(place_of_stack_call)},
          {"system call", has_system_call, address_of(place_of_system_call)}};
}

SharedWords& shared_words() {
  static auto* words = static_cast<SharedWords*>(
      mmap(nullptr, sizeof(SharedWords), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  counted_calls = &words->calls;
  return *words;
}

DebuggedProgram::DebuggedProgram(const std::function<void(SharedWords&)>& body) {
  SharedWords& words = shared_words();
  memset(static_cast<void*>(&words), 0, sizeof words);
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  if (getppid() != parent) _exit(9);
  body(words);
  words.done = 1;
  while (words.may_end == 0) usleep(200);
  _exit(7);
}

DebuggedProgram::~DebuggedProgram() {
  kill(pid_, SIGKILL);
  wait();
}

int DebuggedProgram::wait() {
  if (!is_reaped_ && waitpid(pid_, &status_, 0) == pid_) is_reaped_ = true;
  return status_;
}

int DebuggedProgram::end() {
  words().may_begin = 1;
  words().may_end = 1;
  return wait();
}

bool wait_until(const std::function<bool()>& condition) {
  constexpr int most_seconds = 120;
  for (int i = 0; i < most_seconds * 5000; i++) {
    if (condition()) return true;
    usleep(200);
  }
  return false;
}

void call_in_threads(Counted function, size_t count, uint64_t times) {
  SharedWords& words = shared_words();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; i++) {
    threads.emplace_back([&, function, times] {
      words.started++;
      while (words.may_begin == 0) usleep(200);
      for (uint64_t n = 0; n < times && words.may_end == 0; n++) words.wrong += function(n) == n + 1 ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

bool has_int3(uint32_t pid, uint64_t address) {
  auto memory = VictimMemory::open(pid);
  std::byte byte{};
  return memory && memory->read_value(address, byte) && byte == std::byte{0xcc};
}

bool is_code_as_ours(uint32_t pid) {
  auto memory = VictimMemory::open(pid);
  auto maps = read_whole_file("/proc/self/maps");
  if (!memory || !maps) return false;
  for (const MapsEntry& entry : parse_maps(*maps)) {
    if (!entry.is_executable || entry.path.empty() || entry.path.front() == '[') continue;
    std::vector<std::byte> theirs(entry.end - entry.start);
    if (!memory->read(entry.start, theirs)) return false;
    if (memcmp(theirs.data(), reinterpret_cast<const void*>(entry.start), theirs.size()) != 0) return false;
  }
  return true;
}

std::string letters_of_threads(uint32_t pid) {
  std::string letters;
  for (uint32_t tid : threads_of(pid)) letters += thread_state_letter(pid, tid);
  return letters;
}

Expression first_argument_is(uint64_t value) {
  constexpr unsigned rdi = offsetof(Registers, rdi) / sizeof(uint64_t);
  return {{ExpressionOp::register_value, register_part(rdi, 0, 64)},
          {ExpressionOp::constant, value},
          {ExpressionOp::equal}};
}

}  // namespace culprit
