#include "capture/process_book.h"

#include <fmt/core.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/tsc_clock.h"
#include "target/handle_links.h"

namespace culprit {
namespace {

constexpr Time announce_wait = 8'000'000;
constexpr size_t command_limit = 4096;

std::string link_target(const std::string& path) {
  char text[4096];
  ssize_t length = readlink(path.c_str(), text, sizeof(text));
  return length < 0 ? "" : std::string(text, static_cast<size_t>(length));
}

}  // namespace

WatchedProcess* ProcessBook::find(uint32_t pid) {
  auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : found->second;
}

WatchedProcess* ProcessBook::find_or_ended(uint32_t pid) {
  if (WatchedProcess* living = find(pid)) return living;
  auto found = last_ended_.find(pid);
  return found == last_ended_.end() ? nullptr : found->second;
}

WatchedProcess& ProcessBook::add(uint32_t pid, ProcessId id, const ProcessEvent& birth) {
  if (WatchedProcess* earlier = find(pid)) ended(*earlier, birth.time);  // its end went unnoticed: pids are not shared
  WatchedProcess& process = all_.emplace_back();
  process.id = id;
  process.pid = pid;
  process.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  process.birth = birth;
  process.birth.process = process.id;
  process.last_event = birth.time;
  process.announce_by = monotonic_now() + announce_wait;
  by_pid_[pid] = &process;
  return process;
}

WatchedProcess& ProcessBook::add_new(uint32_t pid, WatchedProcess* parent, const ProcessEvent& birth) {
  WatchedProcess& process = add(pid, id_at<ProcessId>(tables_.processes.size()), birth);
  Process row;
  row.pid = pid;
  if (parent != nullptr) {
    process.parent = process.birth.parent = row.parent = parent->id;
    row.name = tables_.process(parent->id).name;
    row.command = tables_.process(parent->id).command;
    process.code = parent->code;
    process.maps_read = parent->maps_read;
  }
  tables_.processes.push_back(std::move(row));
  return process;
}

void ProcessBook::announce(WatchedProcess& process) {
  if (process.announced) return;
  process.announced = true;
  events_.on_process(process.birth);
}

WatchedProcess& ProcessBook::launched(uint32_t pid, Time time) {
  ProcessEvent birth;
  birth.time = time;
  birth.handle_limit = handle_limit_of(pid);
  WatchedProcess& process = add_new(pid, nullptr, birth);
  refresh_name(process);
  announce(process);
  return process;
}

WatchedProcess& ProcessBook::known(uint32_t pid, ProcessId id, Time time) {
  ProcessEvent birth;
  birth.time = time;
  WatchedProcess& process = add(pid, id, birth);
  process.announced = true;
  return process;
}

WatchedProcess& ProcessBook::appeared(uint32_t pid, WatchedProcess* parent, Time time, uint32_t tid, StackId stack) {
  ProcessEvent birth;
  birth.time = time;
  birth.change = ProcessChange::forked;
  birth.tid = tid;
  birth.stack = stack;
  return add_new(pid, parent, birth);
}

void ProcessBook::forked(uint32_t pid, WatchedProcess& parent, Time time, bool shares_table, uint32_t tid,
                         StackId stack) {
  WatchedProcess* child = find(pid);
  if (child == nullptr) {
    // A parent that was held up may tell of a child that is already gone.
    WatchedProcess* before = find_or_ended(pid);
    if (before != nullptr && before->parent == parent.id && !before->fork_record_seen) {
      before->fork_record_seen = true;
      return;
    }
  }
  bool is_other_life = child != nullptr && (child->parent != parent.id || child->fork_record_seen);
  if (child == nullptr || is_other_life) child = &appeared(pid, &parent, time, tid, stack);
  child->fork_record_seen = true;
  if (child->announced) return;
  child->birth.tid = tid;
  child->birth.stack = stack;
  child->birth.time = std::min(child->birth.time, std::max(time, parent.birth.time));
  if (shares_table) child->birth.change = ProcessChange::forked_sharing;
  announce(*child);
}

void ProcessBook::executed(WatchedProcess& process, Time time) {
  announce(process);
  refresh_name(process);
  ProcessEvent event;
  event.time = std::max(time, process.birth.time);
  event.process = process.id;
  event.change = ProcessChange::executed;
  event.tid = process.exec_tid != 0 ? process.exec_tid : process.pid;
  event.stack = process.exec_stack;
  event.handle_limit = handle_limit_of(process.pid);
  events_.on_process(event);
  process.exec_at = 0;
  process.exec_path.clear();
  process.exec_stack = StackId::none;
  process.exec_tid = 0;
  process.last_event = std::max(process.last_event, event.time);
}

void ProcessBook::ended(WatchedProcess& process, Time now) {
  if (process.ended) return;
  announce(process);
  ProcessEvent event;
  event.process = process.id;
  event.change = ProcessChange::exited;
  if (process.wait_status && WIFSIGNALED(*process.wait_status)) {
    event.change = ProcessChange::killed;
    event.status = WTERMSIG(*process.wait_status);
  } else if (process.wait_status) {
    event.status = WEXITSTATUS(*process.wait_status);
  } else if (process.exit_status) {
    event.status = *process.exit_status & 0xff;
  } else {
    event.change = ProcessChange::killed;  // it did not say that it was going; by which signal is not known
  }
  // That it is gone is noticed later than it goes; what it said last is nearer, if it said that it was going.
  const bool said_so = event.change == ProcessChange::exited && process.exit_status;
  event.time = said_so ? process.last_event : std::max(process.last_event, now);
  events_.on_process(event);
  process.ended = true;
  process.pidfd.reset();
  process.code = CodeMap();
  if (auto found = by_pid_.find(process.pid); found != by_pid_.end() && found->second == &process) by_pid_.erase(found);
  last_ended_[process.pid] = &process;
}

void ProcessBook::announce_old(Time now) {
  for (auto process = all_.rbegin(); process != all_.rend(); ++process) {
    // Births come in order, and those before the first old one have been announced in earlier rounds.
    if (now - process->announce_by > 1'000'000'000) break;
    if (!process->announced && process->announce_by <= now) announce(*process);
  }
}

void ProcessBook::refresh_name(WatchedProcess& process) {
  Process& row = tables_.processes.at(index_of(process.id));
  std::string path = link_target(fmt::format("/proc/{}/exe", process.pid));
  if (!path.empty()) row.name = path.substr(path.rfind('/') + 1);
  auto command = read_whole_file(fmt::format("/proc/{}/cmdline", process.pid), command_limit);
  if (!command || command->empty()) return;
  if (command->back() == '\0') command->pop_back();
  std::replace(command->begin(), command->end(), '\0', ' ');
  row.command = *command;
}

void ProcessBook::set_sight(WatchedProcess& process, Sight sight, const std::string& reason) {
  Process& row = tables_.processes.at(index_of(process.id));
  row.sight = sight;
  row.sight_reason = reason;
}

}  // namespace culprit
