// The kernel's bits in words.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <csignal>
#include <cstring>
#include <ctime>

#include "model/handle_event.h"
#include "view/inventory_words.h"

namespace culprit {

namespace {

struct BitRow {
  uint32_t bits;
  std::string_view word;
};

// As the kernel counts on x86-64: glibc's O_LARGEFILE is 0 there, its O_SYNC two bits. Those of several bits come
// first.
constexpr BitRow open_flags[] = {{020000000 | 0200000, "unnamed"},
                                 {O_PATH, "path only"},
                                 {O_APPEND, "append"},
                                 {O_NONBLOCK, "nonblock"},
                                 {O_SYNC, "sync"},
                                 {O_DSYNC, "sync data"},
                                 {O_DIRECT, "direct"},
                                 {O_ASYNC, "signals"},
                                 {O_NOATIME, "no access time"},
                                 {O_CLOEXEC, "close-on-exec"}};

constexpr BitRow epoll_events[] = {
    {EPOLLIN, "in"},   {EPOLLOUT, "out"},          {EPOLLRDHUP, "rdhup"},         {EPOLLPRI, "pri"},
    {EPOLLET, "edge"}, {EPOLLONESHOT, "one shot"}, {EPOLLEXCLUSIVE, "exclusive"}, {EPOLLWAKEUP, "wakeup"}};

constexpr BitRow inotify_events[] = {
    {IN_ACCESS, "access"},           {IN_MODIFY, "modify"},           {IN_ATTRIB, "attributes"},
    {IN_CLOSE_WRITE, "close write"}, {IN_CLOSE_NOWRITE, "close"},     {IN_OPEN, "open"},
    {IN_MOVED_FROM, "moved from"},   {IN_MOVED_TO, "moved to"},       {IN_CREATE, "create"},
    {IN_DELETE, "delete"},           {IN_DELETE_SELF, "delete self"}, {IN_MOVE_SELF, "move self"}};

template <size_t size>
void add_words(const BitRow (&rows)[size], uint32_t bits, std::vector<std::string_view>& words) {
  for (const BitRow& row : rows) {
    if ((bits & row.bits) != row.bits) continue;
    words.push_back(row.word);
    bits &= ~row.bits;
  }
}

constexpr std::string_view access_words[] = {"read", "write", "read-write", "neither read nor write"};

}  // namespace

std::vector<std::string_view> flag_words(const OpenHandle& handle) {
  std::vector<std::string_view> words;
  if (!handle.info) return words;
  const uint32_t flags = handle.info->flags;
  // What is no file is open for both, always.
  const bool has_access = handle.link.starts_with('/') || handle.type == handle_type::pipe;
  if (has_access && (flags & O_PATH) == 0) words.push_back(access_words[flags & O_ACCMODE]);
  add_words(open_flags, flags, words);
  return words;
}

std::vector<std::string_view> epoll_words(uint32_t events) {
  std::vector<std::string_view> words;
  add_words(epoll_events, events, words);
  return words;
}

std::vector<std::string_view> inotify_words(uint32_t mask) {
  std::vector<std::string_view> words;
  add_words(inotify_events, mask, words);
  return words;
}

std::vector<std::string> signal_words(uint64_t mask) {
  std::vector<std::string> words;
  constexpr int first_real_time = 34;  // as glibc counts: it keeps 32 and 33
  for (int signal = 1; signal <= 64; ++signal) {
    if ((mask >> (signal - 1) & 1) == 0) continue;
    const char* name = sigabbrev_np(signal);
    words.push_back(name != nullptr             ? std::string(name)
                    : signal >= first_real_time ? fmt::format("RTMIN+{}", signal - first_real_time)
                                                : fmt::to_string(signal));
  }
  return words;
}

std::string_view clock_word(int64_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
      return "real time";
    case CLOCK_MONOTONIC:
      return "monotonic";
    case CLOCK_BOOTTIME:
      return "boot time";
    case CLOCK_REALTIME_ALARM:
      return "real time alarm";
    case CLOCK_BOOTTIME_ALARM:
      return "boot time alarm";
    default:
      return "";
  }
}

std::string joined(const std::vector<std::string_view>& words, std::string_view between) {
  return fmt::to_string(fmt::join(words, between));
}

}  // namespace culprit
