#include "target/live_linux.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/syscall.h"
#include "base/text.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"
#include "target/thread_look.h"
#include "target/thread_stops.h"

namespace culprit {
namespace {

constexpr size_t file_limit = 1 << 20;
constexpr int most_looks = 16;  // at a process that makes new threads all the time

std::string executable_of(uint32_t pid) {
  std::array<char, 4096> path;
  ssize_t size = readlink(fmt::format("/proc/{}/exe", pid).c_str(), path.data(), path.size());
  std::string_view text(path.data(), size < 0 ? 0 : static_cast<size_t>(size));
  constexpr std::string_view deleted_mark = " (deleted)";
  if (text.ends_with(deleted_mark)) text.remove_suffix(deleted_mark.size());
  return std::string(text);
}

std::string command_of(uint32_t pid) {
  std::string command = read_whole_file(fmt::format("/proc/{}/cmdline", pid), file_limit).value_or("");
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::ranges::replace(command, '\0', ' ');
  return command;
}

Error has_ended_error(uint32_t pid) { return {ErrorKind::gone, fmt::format("process {} has ended", pid), {}}; }

// Why a process has nothing to look at; nothing: it has.
std::optional<Error> why_nothing_to_see(const ProcessStat& stat) {
  if (has_ended(stat.pid)) {
    return Error{ErrorKind::gone,
                 fmt::format("process {} ({}) has ended; only its parent, process {}, has not taken note of it yet",
                             stat.pid, printable(stat.name), stat.parent),
                 {}};
  }
  if (stat.is_kernel_thread()) {
    return Error{ErrorKind::unsupported,
                 fmt::format("process {} ({}) is a thread of the kernel: it has no program, and no stack outside of it",
                             stat.pid, printable(stat.name)),
                 {}};
  }
  return {};
}

std::optional<ProcessStat> stat_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/stat", pid), file_limit);
  return text ? parse_stat(*text) : std::nullopt;
}

// Of a thread's number: its process's.
uint32_t process_of(uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", tid), file_limit);
  auto status = text ? parse_status(*text) : std::nullopt;
  return status && status->process != 0 ? status->process : tid;
}

}  // namespace

Result<std::unique_ptr<Target>> open_live_process(uint32_t pid) { return LiveProcess::open(pid); }

Result<std::unique_ptr<Target>> LiveProcess::open(uint32_t tid) {
  uint32_t pid = process_of(tid);
  auto stat = stat_of(pid);
  if (!stat) return fail(ErrorKind::gone, fmt::format("there is no process {}", pid));
  if (auto error = why_nothing_to_see(*stat)) return tl::unexpected<Error>(std::move(*error));
  auto space = LiveSpace::open(pid);
  if (!space) return tl::unexpected<Error>(space.error());
  TargetInfo info;
  info.name = std::to_string(pid);
  info.pid = pid;
  info.executable = executable_of(living_thread(pid));
  info.command = command_of(living_thread(pid));
  return std::unique_ptr<Target>(new LiveProcess(std::move(info), stat->start_ticks, std::move(*space)));
}

Result<void> LiveProcess::check_it_lives() const {
  auto stat = stat_of(info_.pid);
  if (!stat || stat->start_ticks != start_ticks_ || has_ended(info_.pid))
    return tl::unexpected<Error>(has_ended_error(info_.pid));
  return {};
}

TargetThread LiveProcess::look(TargetThread thread, ThreadWish wish) {
  if (wish == ThreadWish::names_and_waits) {
    if (auto call = call_of(info_.pid, thread.tid)) set_standing(thread, *call);
    return thread;
  }
  auto standing = standing_of(info_.pid, thread.tid);
  if (!standing) return thread;
  set_standing(thread, standing->call);
  if (wish != ThreadWish::stacks || thread.known == RegistersKnown::none) return thread;
  auto [place, is_new] = stacks_.try_emplace(thread.tid, space_, info_.pid, thread.tid, standing);
  if (place->second.copy_beginning(thread.registers.rsp)) return thread;
  // It has run meanwhile: as one that runs.
  stacks_.erase(place);
  thread.known = RegistersKnown::none;
  thread.blocked_in.reset();
  return thread;
}

std::vector<TargetThread> LiveProcess::look_at_threads(ThreadWish wish, std::span<const uint32_t> tids) {
  std::vector<TargetThread> found;
  for (uint32_t tid : tids)
    if (auto thread = look_at_thread(info_.pid, tid)) found.push_back(look(std::move(*thread), wish));
  std::vector<TargetThread*> running;
  for (TargetThread& thread : found)
    if (thread.known == RegistersKnown::none && thread.unknown_because.empty()) running.push_back(&thread);
  if (wish == ThreadWish::stacks) complete(running);
  std::erase_if(found, [](const TargetThread& thread) { return thread.state == 'X' || thread.state == 'Z'; });
  return found;
}

// Until nobody is new: a thread may make another one while we look.
void LiveProcess::look_at_new_threads(ThreadWish wish, std::vector<TargetThread>& threads) {
  std::set<uint32_t> seen;
  for (int looks = 0; looks < most_looks; ++looks) {
    std::vector<uint32_t> tids = threads_of(info_.pid);
    std::erase_if(tids, [&](uint32_t tid) { return !seen.insert(tid).second; });
    if (tids.empty()) break;
    std::ranges::move(look_at_threads(wish, tids), std::back_inserter(threads));
    if (wish == ThreadWish::names_and_waits) break;
  }
  std::ranges::sort(threads, {}, &TargetThread::tid);
}

Result<void> LiveProcess::take_all(std::vector<TargetThread>& threads) {
  auto all = take_all_at_once(info_.pid, threads,
                              {.copy_stack = [this](const TargetThread& thread) { copy_stopped(thread); }});
  if (all) {
    for (const TargetThread& thread : threads) longest_stop_ = std::max(longest_stop_, thread.stopped_for);
    return {};
  }
  if (all.error().kind == ErrorKind::gone) return all;
  // One of them does not stop, or may not be stopped: the others one by one.
  std::vector<TargetThread*> each;
  for (TargetThread& thread : threads) each.push_back(&thread);
  complete(each);
  return {};
}

Result<std::vector<TargetThread>> LiveProcess::threads(ThreadWish wish) {
  CULPRIT_TRY(check_it_lives());
  stacks_.clear();
  std::vector<TargetThread> threads;
  look_at_new_threads(wish == ThreadWish::registers ? ThreadWish::names_and_waits : wish, threads);
  if (wish == ThreadWish::registers) CULPRIT_TRY(take_all(threads));
  return with_space(std::move(threads));
}

Result<std::vector<TargetThread>> LiveProcess::some_threads(ThreadWish wish, std::span<const uint32_t> tids) {
  CULPRIT_TRY(check_it_lives());
  stacks_.clear();
  std::vector<uint32_t> sorted(tids.begin(), tids.end());
  std::ranges::sort(sorted);
  sorted.erase(std::ranges::unique(sorted).begin(), sorted.end());
  std::vector<TargetThread> threads = look_at_threads(wish, sorted);
  std::vector<TargetThread*> each;
  for (TargetThread& thread : threads) each.push_back(&thread);
  if (wish == ThreadWish::registers) complete(each);
  return with_space(std::move(threads));
}

Result<void> LiveProcess::refresh() {
  page_map_.reset();
  return space_.refresh();
}

// After the stacks: whatever code they lead to has been mapped by now.
Result<std::vector<TargetThread>> LiveProcess::with_space(std::vector<TargetThread> threads) {
  auto refreshed = refresh();
  if (threads.empty() || !refreshed) {
    CULPRIT_TRY(check_it_lives());
    if (!refreshed) return tl::unexpected<Error>(refreshed.error());
  }
  return threads;
}

void LiveProcess::complete(std::span<TargetThread* const> threads) {
  take_by_stopping(info_.pid, threads, [this](const TargetThread& thread) { copy_stopped(thread); });
  for (const TargetThread* thread : threads) longest_stop_ = std::max(longest_stop_, thread->stopped_for);
}

Result<void> LiveProcess::hold_still(const LookAtThreads& look) {
  CULPRIT_TRY(check_it_lives());
  stacks_.clear();
  std::vector<TargetThread> threads;
  look_at_new_threads(ThreadWish::names_and_waits, threads);
  Result<void> refreshed;
  auto held = take_all_at_once(info_.pid, threads, {.look_at_all = [&](std::span<const TargetThread> all) {
                                 refreshed = refresh();
                                 if (refreshed) look(all);
                               }});
  for (const TargetThread& thread : threads) longest_stop_ = std::max(longest_stop_, thread.stopped_for);
  return held ? refreshed : held;
}

PresentPages LiveProcess::present_pages(AddressRange of) {
  if (!page_map_) page_map_ = PageMap::of(living_thread(info_.pid));
  return page_map_->present_in(of);
}

void LiveProcess::copy_stopped(const TargetThread& thread) {
  auto [place, is_new] = stacks_.try_emplace(thread.tid, space_, info_.pid, thread.tid);
  place->second.copy_all(thread.registers.rsp);
}

MemoryReader& LiveProcess::stack_memory(const TargetThread& thread) {
  auto found = stacks_.find(thread.tid);
  return found != stacks_.end() ? static_cast<MemoryReader&>(found->second) : space_.memory();
}

}  // namespace culprit
