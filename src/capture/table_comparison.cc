// The part of TracedHandles that finds what io_uring requests did: the handle table before and after is compared.
#include <dirent.h>
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

std::vector<int32_t> open_numbers(uint32_t tid) {
  std::vector<int32_t> numbers;
  DIR* directory = opendir(fmt::format("/proc/{}/fd", tid).c_str());
  if (directory == nullptr) return numbers;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') numbers.push_back(atoi(entry->d_name));
  }
  closedir(directory);
  std::ranges::sort(numbers);
  return numbers;
}

bool is_open(uint32_t tid, int32_t number) {
  char link[8];
  return readlink(fmt::format("/proc/{}/fd/{}", tid, number).c_str(), link, sizeof link) > 0;
}

void TracedProcess::note(int32_t first, int32_t last, bool is_open) {
  auto is_meant = [&](int64_t value) { return value >= first && value <= last; };
  if (!fanotify_handles.empty()) std::erase_if(fanotify_handles, is_meant);
  if (!compares_table || first < 0) return;
  std::erase_if(doubtful, [&](const Doubtful& found) { return is_meant(found.event.value); });
  auto begin = static_cast<size_t>(first), end = static_cast<size_t>(last) + 1;
  if (is_open && end > open.size()) open.resize(end);
  for (size_t number = begin; number < std::min(end, open.size()); number++) open[number] = is_open;
}

void TracedHandles::settle(TracedProcess& process, Time now) {
  while (!process.doubtful.empty() && process.doubtful.front().until <= now) {
    HandleEvent event = process.doubtful.front().event;
    auto value = static_cast<int32_t>(event.value);
    bool is_there = is_open(process.book->pid, value);  // or it was about to be closed when it was found
    process.note(value, value, is_there);               // takes it off the list
    if (is_there) events_.on_handle(event);
  }
}

void TracedHandles::begin_to_compare(Tracee& thread) {
  TracedProcess& process = *thread.process;
  if (process.compares_table) return;
  process.compares_table = true;
  process.open.clear();
  for (int32_t number : open_numbers(thread.tid)) process.note(number, number, true);
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
  if (process.threads <= 1) return hand_on(thread, event);
  bool is_known = std::ranges::any_of(
      process.doubtful, [&](const TracedProcess::Doubtful& other) { return other.event.value == number; });
  if (!is_known) process.doubtful.push_back({event, time + doubtful_wait});
}

void TracedHandles::compare(Tracee& thread, Time now) {
  TracedProcess& process = *thread.process;
  if (!process.compares_table || thread.has_own_table) return;
  std::vector<int32_t> numbers = open_numbers(thread.tid);
  if (numbers.empty()) return;
  std::vector<bool> before = process.open, after(static_cast<size_t>(numbers.back()) + 1);
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
