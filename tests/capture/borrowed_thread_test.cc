// Borrowed threads, and what becomes of them when nobody gives them back.
#ifdef CULPRIT_PROGRAMS
#include "capture/borrowed_thread.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attached_programs.h"
#include "capture/session_memory.h"
#include "capture/thread_choice.h"
#include "capture/tsc_clock.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

class BorrowedThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto memory = SessionMemory::create("/agent.so", 16);
    ASSERT_TRUE(memory);
    memory_.emplace(std::move(*memory));
    shared_tables_.emplace(*memory_);
    ASSERT_EQ(victim_.hear(), "ready");
    auto code = VictimCode::read(victim_.pid(), files_, *shared_tables_);
    ASSERT_TRUE(code) << code.error().what;
    code_.emplace(std::move(*code));
    before_ = look_at(victim_.pid());
  }

  // What a thread of our own has to do, as it is what traces.
  Result<void> borrow(const std::function<Result<void>(BorrowedThread&)>& work) {
    auto memory = VictimMemory::open(victim_.pid());
    EXPECT_TRUE(memory);
    TouchedProcess touched{victim_.pid(), std::move(*memory), *code_, 0, {}};
    return with_borrowed_thread(touched, work);
  }

  // The function of libc there.
  uint64_t there(const char* name) const {
    auto address = [](const char* symbol) { return reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, symbol)); };
    return code_->libc().dlopen + address(name) - address("dlopen");
  }

  VictimProgram victim_{{victim_program(), "waits"}};
  TraceTables tables_;
  ModuleFiles files_{tables_};
  std::optional<SessionMemory> memory_;
  std::optional<SharedTables> shared_tables_;
  std::optional<VictimCode> code_;
  ProcessLook before_;
};

constexpr uint64_t long_time = 400'000;  // microseconds

TEST_F(BorrowedThreadTest, CallsAFunctionAndLeavesNothing) {
  auto result = borrow([&](BorrowedThread& thread) { return thread.call(there("usleep"), {1000}, 1'000'000'000); });
  EXPECT_TRUE(result) << result.error().what;
  EXPECT_EQ(look_at(victim_.pid()), before_);
  EXPECT_EQ(victim_.end(), "fine");
}

TEST_F(BorrowedThreadTest, ACallThatTakesTooLongIsLeftToFinishByItself) {
  auto result = borrow([&](BorrowedThread& thread) { return thread.call(there("usleep"), {long_time}, 10'000'000); });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().what, HasSubstr("takes too long"));
  EXPECT_EQ(victim_.end(), "fine");
}

TEST_F(BorrowedThreadTest, ACallThatCrashesIsTakenBack) {
  auto result = borrow([&](BorrowedThread& thread) { return thread.call(there("strlen"), {8}, 1'000'000'000); });
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().what, HasSubstr("signal 11"));
  EXPECT_EQ(look_at(victim_.pid()), before_);
  EXPECT_EQ(victim_.end(), "fine");
}

TEST_F(BorrowedThreadTest, WhenCulpritIsKilledInTheMiddleOfACallTheThreadGoesOnByItself) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  pid_t culprit = fork();
  if (culprit == 0) {
    (void)borrow([&](BorrowedThread& thread) {
      if (write(ready[1], "x", 1) != 1) _exit(1);
      return thread.call(there("usleep"), {long_time}, 60'000'000'000);
    });
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  usleep(50'000);
  kill(culprit, SIGKILL);
  int status = 0;
  waitpid(culprit, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(victim_.end(), "fine");
}

}  // namespace
}  // namespace culprit
#endif
