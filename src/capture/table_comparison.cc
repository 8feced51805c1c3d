// The part of TracedHandles that finds what came without a call of its own (io_uring requests, answers to seccomp
// listeners): the handle table before and after is compared.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/traced_handles.h"
#include "format/procfs.h"

namespace culprit {
namespace {

constexpr Time doubtful_wait = 20'000'000;  // between a creation and the return of its call a thread may be preempted

}  // namespace

void TracedHandles::settle(TracedProcess& process, Time now) {
  TracedTable& table = *process.table;
  while (!table.doubtful.empty() && table.doubtful.front().until <= now) {
    HandleEvent event = table.doubtful.front().event;
    auto value = static_cast<int32_t>(event.value);
    bool is_there = is_open(process.book->pid, value);  // or it was about to be closed when it was found
    table.note(value, value, is_there);                 // takes it off the list
    if (is_there) events_.on_handle(event);
  }
}

void TracedHandles::begin_to_compare(Tracee& thread) {
  TracedTable& table = *thread.process->table;
  if (table.is_compared) return;
  table.is_compared = true;
  table.open.clear();
  for (int32_t number : open_numbers(thread.tid)) table.note(number, number, true);
}

// Whom they were for is not told: every process that somebody listens to is looked at.
void TracedHandles::look_for_answers(Tracee& thread, Time now) {
  TracedProcess& process = *thread.process;
  if (!process.has_listener || process.known_answers == answers_) return;
  process.known_answers = answers_;
  compare(thread, now);
}

void TracedHandles::describe_found(const Tracee& thread, HandleEvent& event) {
  std::string path = fmt::format("/proc/{}/fd/{}", thread.tid, event.value);
  char link[4096];
  ssize_t length = readlink(path.c_str(), link, sizeof link);
  if (length <= 0) return;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) info = {};
  FdTarget target = parse_fd_link({link, static_cast<size_t>(length)}, info.st_mode);
  event.type = tables_.intern(target.type);
  event.name = tables_.intern(target.name);
}

void TracedHandles::found(Tracee& thread, int32_t number, HandleAction action, Time time) {
  TracedProcess& process = *thread.process;
  HandleEvent event = new_event(thread, action, time);
  event.value = number;
  event.stack = thread.call.stack;
  if (action == HandleAction::close) return hand_on(thread, event);
  describe_found(thread, event);
  bool is_alone = process.threads <= 1 && process.table.use_count() <= 1;
  if (is_alone) return hand_on(thread, event);
  auto& doubtful = process.table->doubtful;
  bool is_known = std::ranges::any_of(doubtful, [&](const auto& other) { return other.event.value == number; });
  if (!is_known) doubtful.push_back({event, time + doubtful_wait});
}

void TracedHandles::compare(Tracee& thread, Time now) {
  const TracedTable& table = *thread.process->table;
  if (!table.is_compared || thread.has_own_table) return;
  std::vector<int32_t> numbers = open_numbers(thread.tid);
  if (numbers.empty()) return;
  std::vector<bool> before = table.open, after(static_cast<size_t>(numbers.back()) + 1);
  for (int32_t number : numbers) after[static_cast<size_t>(number)] = true;
  before.resize(std::max(before.size(), after.size()));
  after.resize(before.size());
  if (before == after) return;
  if (thread.call.stack == StackId::none) thread.call.stack = stack_of(thread);
  for (size_t number = 0; number < after.size(); number++) {
    if (before[number] == after[number]) continue;
    found(thread, static_cast<int32_t>(number), after[number] ? HandleAction::open : HandleAction::close,
          after[number] ? now : thread.call.entered);
  }
}

}  // namespace culprit
