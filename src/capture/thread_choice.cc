#include "capture/thread_choice.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <optional>

#include "capture/borrowing_check.h"
#include "target/process_stopper.h"
#include "capture/tsc_clock.h"

namespace culprit {
namespace {

constexpr Time search_time = 3'000'000'000, stop_patience = 5'000'000;
constexpr int rounds_for_first_one = 8;      // nobody but the first thread is tried that long
constexpr int rounds_for_waiting_ones = 12;  // threads in system calls are preferred that long
constexpr size_t tries_per_round = 12;

class Search {
 public:
  Search(TouchedProcess& victim, const std::function<Result<void>(BorrowedThread&)>& work)
      : victim_(victim), work_(work) {}

  Result<void> run() {
    Time deadline = monotonic_now() + search_time;
    for (round_ = 0; round_ == 0 || monotonic_now() < deadline; round_++) {
      if (has_ended(victim_.pid)) return fail(ErrorKind::gone, fmt::format("process {} has ended", victim_.pid));
      for (uint32_t tid : this_rounds(threads_of(victim_.pid))) {
        if (auto result = try_thread(tid)) return *result;
      }
      rest();
    }
    return fail(ErrorKind::limit,
                fmt::format("no thread of process {} can be borrowed to load the agent: of thread {}, "
                            "{}",
                            victim_.pid, last_tid_, why_not_));
  }

 private:
  // The first thread comes first: the others would make an arena of their own in malloc, which stays. On a busy machine
  // it may take some tries until it stops in time. Then others by turns.
  std::vector<uint32_t> this_rounds(std::vector<uint32_t> threads) const {
    auto first = std::ranges::find(threads, victim_.pid);
    if (first != threads.end() && round_ < rounds_for_first_one) return {victim_.pid};
    if (first != threads.end()) std::rotate(threads.begin(), first, std::next(first));
    if (threads.size() <= tries_per_round) return threads;
    size_t others = threads.size() - 1;
    size_t begin = static_cast<size_t>(round_) * (tries_per_round - 1) % others;
    std::rotate(threads.begin() + 1, threads.begin() + 1 + static_cast<ptrdiff_t>(begin), threads.end());
    threads.resize(tries_per_round);
    return threads;
  }

  // Nothing: this one cannot be borrowed now.
  std::optional<Result<void>> try_thread(uint32_t tid) {
    // One that stands still might hold a lock that the borrowed one will wait for.
    release_late(victim_.late);
    if (!victim_.late.empty()) return {};
    if (thread_state_letter(victim_.pid, tid) == 'D') return {};  // it would not stop
    auto seized = TracedThread::seize(victim_.pid, tid);
    if (!seized && is_ending(victim_.pid, tid)) return {};
    if (!seized) return tl::unexpected<Error>(seized.error());
    Time begin = monotonic_now();
    seized->interrupt();
    std::optional<Result<void>> result;
    if (seized->wait(begin + stop_patience) == ThreadState::stopped && is_fit(*seized)) result = borrow(*seized);
    seized->let_go();
    victim_.longest_stop = std::max(victim_.longest_stop, monotonic_now() - begin);
    if (seized->state() == ThreadState::running) victim_.late.push_back(std::move(*seized));
    return result;
  }

  bool is_fit(TracedThread& thread) {
    user_regs_struct registers{};
    if (!thread.read_registers(registers)) return false;
    if (round_ < rounds_for_waiting_ones && !is_in_system_call(registers)) return false;
    std::string why_not = why_not_borrowable(thread, victim_.memory, victim_.code);
    if (!why_not.empty()) note(thread, why_not);
    return why_not.empty();
  }

  // What is said of the first thread in the end, as it is the best known.
  void note(const TracedThread& thread, const std::string& why_not) {
    if (thread.tid() != victim_.pid && last_tid_ == victim_.pid) return;
    last_tid_ = thread.tid();
    why_not_ = why_not;
  }

  std::optional<Result<void>> borrow(TracedThread& thread) {
    auto borrowed = BorrowedThread::borrow(thread, victim_.pid, victim_.memory, victim_.code.libc());
    if (!borrowed) {
      if (borrowed.error().kind != ErrorKind::limit) return tl::unexpected<Error>(borrowed.error());
      note(thread, borrowed.error().what);
      return {};
    }
    auto done = work_(*borrowed);
    auto given_back = borrowed->give_back();
    if (done) return given_back;
    if (done.error().kind == ErrorKind::limit) note(thread, done.error().what);
    return done.error().kind == ErrorKind::limit ? std::nullopt : std::optional(done);
  }

  void rest() {
    release_late(victim_.late);
    timespec pause{0, std::min(round_ + 1, 20) * 1'000'000};
    nanosleep(&pause, nullptr);
  }

  TouchedProcess& victim_;
  const std::function<Result<void>(BorrowedThread&)>& work_;
  std::string why_not_ = "it does not stop";
  uint32_t last_tid_ = 0;
  int round_ = 0;
};

}  // namespace

Result<void> with_borrowed_thread(TouchedProcess& victim, const std::function<Result<void>(BorrowedThread&)>& work) {
  return Search(victim, work).run();
}

}  // namespace culprit
