#include "analysis/type_evidence.h"

#include <algorithm>
#include <array>

#include "model/handle_event.h"

namespace culprit {

namespace {

using namespace handle_type;

// Types that have no path, so that only their own calls make them.
constexpr std::array pathless{socket,   eventfd, epoll,      timerfd,     signalfd, inotify,
                              fanotify, pidfd,   perf_event, userfaultfd, io_uring, bpf};

// Types that /proc/PID/fd links cannot tell from others: they say less than any call.
constexpr std::array vague{file, other};

bool is_pathless(std::string_view type) { return std::find(pathless.begin(), pathless.end(), type) != pathless.end(); }
bool is_vague(std::string_view type) { return std::find(vague.begin(), vague.end(), type) != vague.end(); }

}  // namespace

bool types_contradict(std::string_view one, std::string_view other_type) {
  if (one.empty() || other_type.empty() || one == other_type || one == other || other_type == other) return false;
  return is_pathless(one) || is_pathless(other_type);
}

bool type_improves(std::string_view known, std::string_view seen) {
  if (seen.empty() || known == seen) return false;
  if (known.empty() || known == other) return true;
  return known == file && !is_vague(seen);
}

bool name_improves(std::string_view type, std::string_view known, std::string_view seen) {
  if (seen.empty() || known == seen) return false;
  if (known.empty()) return true;
  if (type == socket) return seen.size() > known.size();
  return known.front() != '/' && seen.front() == '/';
}

}  // namespace culprit
