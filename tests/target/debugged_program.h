// A process forked from the test that does what it is told in memory shared with the test, so that the test knows all
// addresses and can count from outside. Gone when the test is.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "target/debuggee.h"
#include "target/expression.h"

namespace culprit {

// Functions with instructions of different kinds; each calls n + 1 after it counted the call in SharedWords::calls.
extern "C" {
uint64_t begins_with_endbr(uint64_t n);
uint64_t begins_with_push(uint64_t n);
uint64_t begins_with_relative_load(uint64_t n);
uint64_t begins_with_call(uint64_t n);
uint64_t begins_with_jump(uint64_t n);
uint64_t has_branch(uint64_t n);
uint64_t begins_with_loop(uint64_t n);
uint64_t begins_with_indirect_call(uint64_t n);
uint64_t has_stack_call(uint64_t n);
uint64_t has_system_call(uint64_t n);
void place_of_branch();
void place_of_stack_call();  // cannot be executed anywhere else
void place_of_system_call();
extern std::atomic<uint64_t>* counted_calls;  // where they count
}
using Counted = uint64_t (*)(uint64_t);

template <typename Function>
uint64_t address_of(Function* function) {
  return reinterpret_cast<uint64_t>(function);
}

struct CountedCase {
  const char* name;
  Counted function;
  uint64_t place;  // of the breakpoint
};
std::vector<CountedCase> counted_cases();

struct SharedWords {
  std::atomic<uint64_t> calls, wrong, signals, started, may_begin, may_end, done;
  std::atomic<uint64_t> extra[8];
};
// Of the process and of the test alike.
SharedWords& shared_words();

class DebuggedProgram {
 public:
  explicit DebuggedProgram(const std::function<void(SharedWords&)>& body);
  ~DebuggedProgram();
  DebuggedProgram(const DebuggedProgram&) = delete;
  DebuggedProgram& operator=(const DebuggedProgram&) = delete;

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  SharedWords& words() const { return shared_words(); }
  // Lets it come to its end; its wait status.
  int end();
  int wait();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  bool is_reaped_ = false;
};

// Until it is true; false: it never came.
bool wait_until(const std::function<bool()>& condition);
// Calls it `times` times in each of so many threads, from the moment when `may_begin` is set.
void call_in_threads(Counted function, size_t threads, uint64_t times);
bool has_int3(uint32_t pid, uint64_t address);
// The program's code as the file has it.
bool is_code_as_ours(uint32_t pid);
std::string letters_of_threads(uint32_t pid);

// @rdi == value
Expression first_argument_is(uint64_t value);

}  // namespace culprit
