#include "capture/outside_watch.h"

#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/program_examination.h"
#include "capture/tsc_clock.h"

namespace culprit {
namespace {

constexpr Time look_interval = 50'000'000;
constexpr Time agent_interval = 2'000'000'000;
constexpr Time hello_patience = 1'000'000'000;  // a loader with hundreds of libraries on a busy machine takes its time
constexpr Time cost_share_outside = 20, cost_share_agent = 100;  // a snapshot may use 1/20, 1/100 of the time

std::vector<uint32_t> children_of(uint32_t pid) {
  std::vector<uint32_t> children;
  auto text = read_whole_file(fmt::format("/proc/{}/task/{}/children", pid, pid), 65536);
  if (!text) return children;
  const char* at = text->data();
  const char* end = at + text->size();
  while (at < end) {
    uint32_t child = 0;
    auto [next, error] = std::from_chars(at, end, child);
    if (error == std::errc() && child != 0) children.push_back(child);
    at = std::max(next, at) + 1;
  }
  return children;
}

bool maps_session(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", pid));
  return text && text->find("memfd:culprit-session") != std::string::npos;
}

std::string program_of(uint32_t pid) {
  char text[4096];
  ssize_t length = readlink(fmt::format("/proc/{}/exe", pid).c_str(), text, sizeof(text));
  return length < 0 ? "" : std::string(text, static_cast<size_t>(length));
}

}  // namespace

void OutsideWatch::watch(WatchedProcess& process, const std::string& why) {
  process.watched_from_outside = true;
  process.next_snapshot = 0;
  book_.set_sight(process, Sight::handle_table, why);
  losses_.add(LossKind::process_not_followed, 1, process.id, why);
}

std::string OutsideWatch::why_not_followed(const WatchedProcess& process) const {
  std::string path = process.ended ? "" : program_of(process.pid);
  if (path.empty()) path = process.exec_path;
  if (path.empty()) path = tables_.process(process.id).name;
  std::string reason = examine_program(path).sight_reason();
  if (!reason.empty()) return reason;
  return fmt::format(
      "{}: culprit's agent did not start in it (it may not reach the agent's library, or has no memory left, or does "
      "not take "
      "LD_PRELOAD)",
      printable(path.substr(path.rfind('/') + 1)));
}

void OutsideWatch::note_unfollowed_exec(WatchedProcess& process) {
  if (process.exec_at == 0 || process.watched_from_outside) return;
  losses_.add(LossKind::process_not_followed, 1, process.id, why_not_followed(process));
  if (!process.said_hello) book_.set_sight(process, Sight::handle_table, why_not_followed(process));
}

void OutsideWatch::look_for_lost_image(WatchedProcess& process, Time now) {
  if (process.exec_at == 0 || process.watched_from_outside || now - process.exec_at < hello_patience) return;
  if (maps_session(process.pid)) {  // the exec failed, or the agent is just starting
    if (process.said_hello) process.exec_at = 0;
    return;
  }
  std::string why = why_not_followed(process);
  if (process.said_hello || process.birth.change != ProcessChange::launched) book_.executed(process, process.exec_at);
  process.exec_at = 0;
  book_.refresh_name(process);
  watch(process, why);
}

void OutsideWatch::look_for_children(const WatchedProcess& process) {
  for (uint32_t pid : children_of(process.pid)) {
    if (book_.find(pid) != nullptr) continue;
    WatchedProcess& child = book_.appeared(pid, book_.find(process.pid), monotonic_now(), 0, StackId::none);
    book_.refresh_name(child);
    child.exec_at = monotonic_now();  // it has an agent if it says so
  }
}

bool OutsideWatch::round(Time now) {
  if (now < next_) return false;
  next_ = now + look_interval;
  bool is_watching = false;
  for (size_t i = 0; i < book_.all().size(); i++) {  // by index: children are added
    WatchedProcess& process = book_.all()[i];
    if (process.ended) continue;
    look_for_lost_image(process, now);
    bool outside = process.watched_from_outside;
    is_watching |= outside;
    if (outside) look_for_children(process);
    if (process.next_snapshot == 0 && !outside) process.next_snapshot = now + agent_interval;
    if (now < process.next_snapshot || (!outside && process.record < 0)) continue;
    requests_.snapshot(process, SnapshotReason::periodic, false);
    process.next_snapshot = now + (outside ? std::max(look_interval, process.snapshot_cost * cost_share_outside)
                                           : std::max(agent_interval, process.snapshot_cost * cost_share_agent));
  }
  return is_watching;
}

}  // namespace culprit
