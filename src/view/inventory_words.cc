#include "view/inventory_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "model/handle_event.h"
#include "view/text_style.h"

namespace culprit {

namespace {

constexpr size_t longest_value = 60, most_holders = 3, most_watches = 8;

std::string lower(std::string_view text) {
  std::string word(text);
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

std::string listed(const std::vector<std::string>& words, uint64_t more) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool is_last = i + 1 == words.size() && more == 0;
    list += i == 0 ? words[i] : (is_last ? " and " : ", ") + words[i];
  }
  return more == 0 ? list : fmt::format("{} and {} more", list, with_thousands(more));
}

std::string in_seconds(uint64_t nanoseconds) {
  if (nanoseconds < 1'000'000'000) return fmt::format("{:.3g} ms", static_cast<double>(nanoseconds) / 1e6);
  return duration_in_words(static_cast<double>(nanoseconds) / 1e9);
}

std::string timer_words(const TimerSetting& timer) {
  std::string words(clock_word(timer.clock));
  if (words.empty()) words = fmt::format("clock {}", timer.clock);
  words += timer.remaining == 0 ? ", not armed" : fmt::format(", fires in {}", in_seconds(timer.remaining));
  if (timer.interval != 0) words += fmt::format(", then every {}", in_seconds(timer.interval));
  if (timer.expirations != 0) words += fmt::format(", fired {} unread", counted(timer.expirations, "time"));
  return words;
}

std::string process_phrase(const OpenHandle& handle) {
  const int64_t pid = *handle.info->pidfd_pid;
  if (pid == -1) return "of a process that has ended";
  if (pid == 0) return "of a process outside of our pid namespace";
  std::string words = fmt::format("of {} ({})", shown(handle.process.empty() ? "?" : handle.process, 20), pid);
  return handle.process_state == 'Z' ? words + ", which has ended and was not waited for" : words;
}

std::string watches_phrase(const std::vector<WatchedHandle>& watches) {
  if (watches.empty()) return "watches nothing";
  std::vector<std::string> values;
  uint64_t closed = 0, other = 0;
  for (const WatchedHandle& watched : watches) {
    if (watched.state == WatchedHandle::State::closed) ++closed;
    if (watched.state == WatchedHandle::State::other) ++other;
    if (values.size() < most_watches) values.push_back(fmt::to_string(watched.watch.value));
  }
  std::string words = "watches " + listed(values, watches.size() - values.size());
  if (closed != 0) words += fmt::format("; {} of them not open here any more, but elsewhere", with_thousands(closed));
  if (other != 0)
    words += fmt::format("; {} of these numbers {} something else by now", with_thousands(other),
                         other == 1 ? "means" : "mean");
  return words;
}

std::string lock_phrase(const HeldLock& held, uint32_t own_pid) {
  const FileLock& lock = held.lock;
  std::string words = fmt::format("holds a {} {} lock", lower(shown(lock.access, 8)),
                                  lock.kind == "FLOCK"    ? "flock"
                                  : lock.kind == "OFDLCK" ? "open-file"
                                  : lock.kind == "POSIX"  ? "fcntl"
                                                          : lower(shown(lock.kind, 8)));
  if (lock.start != 0 || lock.end != FileLock::end_of_file)
    words += lock.end == FileLock::end_of_file ? fmt::format(" from byte {} on", lock.start)
                                               : fmt::format(" on bytes {} to {}", lock.start, lock.end);
  if (held.waiting.empty()) return words;
  std::vector<std::string> names;
  for (const HandleHolder& waiter : held.waiting) {
    if (names.size() == most_holders) break;
    names.push_back(waiter.pid == 0         ? "somebody"
                    : waiter.pid == own_pid ? "this process itself"
                                            : fmt::format("{} ({})", shown(waiter.process, 20), waiter.pid));
  }
  return words + ", for which " + listed(names, held.waiting.size() - names.size()) +
         (held.waiting.size() == 1 ? " waits" : " wait");
}

bool is_pipe(const OpenHandle& handle) { return handle.type == handle_type::pipe || handle.type == handle_type::fifo; }

std::string other_end_phrase(const InventoryHandle& handle, uint32_t own_pid) {
  const bool pipe = is_pipe(handle.handle), writes = handle.handle.info && (handle.handle.info->flags & 3) == 1;
  if (handle.other_end.empty())
    return pipe ? fmt::format("{} by nobody that can be seen", writes ? "read" : "written")
                : "its other end is in no process that can be seen";
  const std::string holders = holder_list(handle.other_end, own_pid, most_holders);
  return pipe ? fmt::format("{} by {}", writes ? "read" : "written", holders) : "other end: " + holders;
}

void add_holder_phrases(const InventoryHandle& handle, uint32_t own_pid, std::vector<std::string>& phrases) {
  if (!handle.has_other_end || !handle.were_holders_sought || !handle.handle.info) return;
  phrases.push_back(other_end_phrase(handle, own_pid));
  if (!handle.same_end.empty())
    phrases.push_back("this end also: " + holder_list(handle.same_end, own_pid, most_holders));
}

void add_socket_phrases(const OpenHandle& handle, std::vector<std::string>& phrases) {
  if (handle.unix_socket && handle.socket && handle.socket->state == "LISTEN") {
    phrases.push_back(
        fmt::format("{} of {} connections wait", handle.unix_socket->receive_queue, handle.unix_socket->send_queue));
    return;
  }
  const bool is_listening = handle.socket && handle.socket->state == "LISTEN";
  const uint64_t unread = handle.unix_socket ? handle.unix_socket->receive_queue
                          : handle.socket    ? handle.socket->receive_queue
                                             : 0;
  const uint64_t unsent = handle.unix_socket ? handle.unix_socket->send_queue
                          : handle.socket    ? handle.socket->send_queue
                                             : 0;
  if (is_listening && unread != 0) phrases.push_back(counted(unread, "connection") + " waiting to be accepted");
  if (is_listening) return;
  if (unread != 0) phrases.push_back(bytes_in_words(unread) + " not read");
  if (unsent != 0)
    phrases.push_back(bytes_in_words(unsent) +
                      (handle.unix_socket ? " not read by the other end" : " not acknowledged"));
}

void add_size_phrases(const OpenHandle& handle, std::vector<std::string>& phrases) {
  if (handle.is_deleted) phrases.push_back(fmt::format("deleted, holds {}", bytes_in_words(handle.allocated)));
  if (handle.type == handle_type::memfd) phrases.push_back(bytes_in_words(handle.size));
  if (handle.type != handle_type::file || !handle.info) return;
  const uint64_t at = handle.info->position;
  phrases.push_back(at == handle.size ? fmt::format("at its end, {}", bytes_in_words(handle.size))
                                      : fmt::format("at {} of {}", at < 1024 ? fmt::to_string(at) : bytes_in_words(at),
                                                    bytes_in_words(handle.size)));
}

void add_object_phrases(const InventoryHandle& described, std::vector<std::string>& phrases) {
  const OpenHandle& handle = described.handle;
  const FdInfo& info = *handle.info;
  if (info.eventfd_count)
    phrases.push_back(fmt::format("count {}{}", with_thousands(*info.eventfd_count),
                                  info.eventfd_is_semaphore ? ", a semaphore" : ""));
  if (info.timer) phrases.push_back(timer_words(*info.timer));
  if (info.signalfd_mask)
    phrases.push_back(*info.signalfd_mask == 0 ? "no signal"
                                               : fmt::to_string(fmt::join(signal_words(*info.signalfd_mask), " ")));
  if (info.pidfd_pid) phrases.push_back(process_phrase(handle));
  if (handle.type == handle_type::epoll) phrases.push_back(watches_phrase(described.watches));
  if (handle.type == handle_type::inotify) phrases.push_back(counted(info.inotify_watches.size(), "watch", "watches"));
  if (info.terminal_index) phrases.push_back(fmt::format("master of /dev/pts/{}", *info.terminal_index));
  // Of maps and programs of bpf, of io_uring: the kernel's own words.
  const bool speaks_for_itself = handle.type == handle_type::bpf || handle.type == handle_type::dma_buf;
  constexpr size_t shown_lines = 4;
  for (size_t i = 0; speaks_for_itself && i < std::min(info.lines.size(), shown_lines); ++i)
    phrases.push_back(fmt::format("{} {}", shown(info.lines[i].key, 24), shown(info.lines[i].value, 24)));
}

}  // namespace

std::string handle_name(const OpenHandle& handle, size_t columns) {
  if (!handle.name.empty()) return shown(handle.name, columns);
  if (handle.type != handle_type::socket || handle.socket) return "";
  if (handle.protocol.empty()) return handle.info ? "of unknown kind" : "";
  return lower(shown(handle.protocol, longest_value)) + ", not bound, or in another network namespace";
}

std::string holder_list(const std::vector<HandleHolder>& holders, uint32_t own_pid, size_t most) {
  // One process may have several: told together.
  std::vector<std::string> processes;
  uint64_t more = 0;
  for (size_t i = 0; i < holders.size();) {
    const HandleHolder& first = holders[i];
    std::string values;
    size_t shown_values = 0, count = 0;
    for (; i < holders.size() && holders[i].pid == first.pid; ++i, ++count)
      if (shown_values < 3) values += fmt::format("{}{}", shown_values++ == 0 ? "" : ", ", holders[i].value);
    if (count > shown_values) values += ", …";
    if (processes.size() == most) {
      ++more;
    } else if (first.pid == own_pid) {
      processes.insert(processes.begin(), fmt::format("its own {}", values));
    } else {
      processes.push_back(fmt::format("{} of {} ({})", values, shown(first.process, 20), first.pid));
    }
  }
  return listed(processes, more);
}

std::vector<std::string> detail_phrases(const InventoryHandle& handle, uint32_t own_pid) {
  std::vector<std::string> phrases;
  add_size_phrases(handle.handle, phrases);
  if (!handle.handle.info) return phrases;
  add_socket_phrases(handle.handle, phrases);
  add_holder_phrases(handle, own_pid, phrases);
  add_object_phrases(handle, phrases);
  for (const HeldLock& held : handle.locks) phrases.push_back(lock_phrase(held, own_pid));
  return phrases;
}

std::string value_ranges(const InventoryGroup& group) {
  constexpr size_t shown_ranges = 4;
  std::string ranges;
  uint64_t told = 0;
  for (size_t i = 0; i < std::min(group.values.size(), shown_ranges); ++i) {
    const auto [first, last] = group.values[i];
    ranges += fmt::format("{}{}{}", i == 0 ? "" : ", ", first, first == last ? "" : fmt::format("-{}", last));
    told += static_cast<uint64_t>(last - first) + 1;
  }
  return told < group.count ? ranges + " …" : ranges;
}

}  // namespace culprit
