#include "analysis/wait_names.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

ReportStack stack_of(std::vector<std::string> functions) {
  ReportStack stack;
  for (std::string& function : functions) {
    stack.frames.emplace_back();
    stack.frames.back().function = std::move(function);
  }
  return stack;
}

TEST(WaitNames, KnowFunctionsOfLibcUnderAllTheirNames) {
  for (const char* name : {"pthread_mutex_lock", "___pthread_mutex_lock", "__GI___pthread_mutex_lock",
                           "pthread_mutex_lock@@GLIBC_2.2.5", "__pthread_mutex_lock_full"}) {
    auto wait = wait_named_by(stack_of({"futex_wait", "__GI___lll_lock_wait", name, "work"}));
    ASSERT_TRUE(wait) << name;
    EXPECT_EQ(wait->kind, LockKind::mutex);
    EXPECT_EQ(wait->frame, 2u);
  }
}

TEST(WaitNames, SayWhichLockOfLibcItIs) {
  auto wait = wait_named_by(stack_of({"futex_wait", "__lll_lock_wait_private", "__libc_malloc", "operator new"}));
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->kind, LockKind::internal);
  EXPECT_EQ(wait->what, "malloc's arena");
  EXPECT_EQ(wait_named_by(stack_of({"__lll_lock_wait_private", "unknown"}))->what, "");
}

TEST(WaitNames, KnowTheClassesOfTheCPlusPlusLibrary) {
  EXPECT_EQ(wait_named_by(stack_of({"syscall",
                                    "std::__atomic_futex_unsigned_base::_M_futex_wait_until(unsigned int*, "
                                    "unsigned int, bool, long, long)"}))
                ->kind,
            LockKind::future);
  EXPECT_EQ(wait_named_by(stack_of({"syscall", "void std::__detail::__platform_wait<int>(int const*, int)"}))->kind,
            LockKind::word);
}

TEST(WaitNames, AreSilentAboutOthersAndAboutWhatLiesTooDeep) {
  EXPECT_FALSE(wait_named_by(stack_of({})));
  EXPECT_FALSE(wait_named_by(stack_of({"read", "main"})));
  std::vector<std::string> deep(40, "f");
  deep.emplace_back("pthread_mutex_lock");
  EXPECT_FALSE(wait_named_by(stack_of(deep)));
}

}  // namespace
}  // namespace culprit
