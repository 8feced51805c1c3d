// A process that has just come to its fault, looked at while it lives, and then as the core that it leaves.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>

#include "analysis/crash_report.h"
#include "shell/lock_question.h"
#include "support/kernel_core.h"
#include "support/run_culprit.h"
#include "view/crash_views.h"

namespace culprit::test {
namespace {

// A living process, about which is known what ends it.
class DyingTarget final : public Target {
 public:
  DyingTarget(std::unique_ptr<Target> living, uint32_t tid, const siginfo_t& end) : living_(std::move(living)) {
    info_ = living_->info();
    info_.signal = end.si_signo;
    info_.signal_code = end.si_code;
    info_.signal_tid = tid;
    info_.fault_address = reinterpret_cast<uint64_t>(end.si_addr);
  }
  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish wish) override { return living_->threads(wish); }
  void complete(std::span<TargetThread* const> threads) override { living_->complete(threads); }
  Result<void> hold_still(const LookAtThreads& look) override { return living_->hold_still(look); }
  MemoryReader& stack_memory(const TargetThread& thread) override { return living_->stack_memory(thread); }
  MemoryReader& memory() override { return living_->memory(); }
  const std::vector<TargetMapping>& mappings() override { return living_->mappings(); }
  const std::vector<TargetModule>& modules() override { return living_->modules(); }
  PresentPages present_pages(AddressRange of) override { return living_->present_pages(of); }

 private:
  std::unique_ptr<Target> living_;
  TargetInfo info_;
};

Json page_about(Target& target) {
  Symbolizer symbolizer({.debuginfod = false});
  TargetNames names(target, {.debuginfod = false});
  LockQuestioner locks(target);
  CrashHelpers helpers{.names = names};
  helpers.lookup = [&](std::span<const SymbolRequest> requests) { return symbolizer.symbolize(requests); };
  helpers.symbols = [&](const Module& module) { return symbolizer.used_for(module); };
  helpers.objects = [&](const Module& module, const ObjectQuestion& question) {
    return symbolizer.object(module, question);
  };
  helpers.locks = locks.helpers();
  auto report = report_crash(target, helpers);
  EXPECT_TRUE(report) << report.error().what;
  return report ? Json::parse(crash_as_json(*report)) : Json();
}

// A process that stands before the instruction that ends it, and goes on to do so.
class Dying {
 public:
  Dying(const std::string& way, const std::string& folder) {
    pid_ = ::fork();
    if (pid_ != 0) {
      run_to_fault();
      return;
    }
    allow_core();
    std::string path = program("crash_victim");
    if (::chdir(folder.c_str()) == 0 && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0)
      ::execl(path.c_str(), path.c_str(), way.c_str(), nullptr);
    ::_exit(9);
  }
  ~Dying() { end(SIGKILL); }

  pid_t pid() const { return pid_; }
  const siginfo_t& information() const { return information_; }
  void go_on() { end(SIGCONT); }

 private:
  void run_to_fault() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
      ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr);
    ASSERT_TRUE(WIFSTOPPED(status));
    ::ptrace(PTRACE_GETSIGINFO, pid_, nullptr, &information_);
    ::ptrace(PTRACE_DETACH, pid_, nullptr, reinterpret_cast<void*>(SIGSTOP));
    siginfo_t stopped{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED);
  }

  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    int status = 0;
    while (::waitpid(pid_, &status, 0) == pid_ && !WIFSIGNALED(status) && !WIFEXITED(status)) {
    }
    pid_ = -1;
  }

  pid_t pid_ = -1;
  siginfo_t information_{};
};

TEST(CrashOfAProcessThatLives, HasThePageOfItsCore) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  for (const char* way : {"null_write", "null_call", "wild_read", "read_only_write", "closed_read"}) {
    SCOPED_TRACE(way);
    TemporaryFolder folder;
    Dying dying(way, folder.path());
    pid_t pid = dying.pid();
    auto living = open_live_process(static_cast<uint32_t>(pid));
    ASSERT_TRUE(living) << living.error().what;
    DyingTarget target(std::move(*living), static_cast<uint32_t>(pid), dying.information());
    Json alive = page_about(target);
    dying.go_on();
    auto core = open_core(kernels_core(folder.path(), pid));
    ASSERT_TRUE(core) << core.error().what;
    Json dead = page_about(**core);
    for (const char* part :
         {"sentence", "cause",          "confidence", "evidence", "bucket", "hash",   "fault", "operand",
          "object",   "operand_origin", "code",       "stack",    "depth",  "blamed", "rule",  "source",
          "pid",      "executable",     "modules",    "exact"})
      EXPECT_EQ(alive.at(part), dead.at(part)) << part;
  }
}

}  // namespace
}  // namespace culprit::test
