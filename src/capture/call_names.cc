#include "capture/call_names.h"

#include <fcntl.h>

#include "capture/handle_calls.h"

namespace culprit {
namespace {

constexpr size_t call_limit = 4096;
constexpr uint16_t call_ioctl = 16, call_socket = 41, call_socketpair = 53, call_open = 2, call_openat = 257;

// The part of `extra` that describe_call looks at, so that the table of names stays small.
uint64_t telling_part(uint16_t number, uint64_t extra) {
  switch (number) {
    case call_ioctl:
      return extra & 0xffffffff;
    case call_socket:
    case call_socketpair:
      return extra & 0xfffff;
    case call_open:
    case call_openat:
      return extra & O_TMPFILE;
    default:
      return 0;
  }
}

}  // namespace

const CallNames::Entry& CallNames::of(uint16_t number, uint64_t extra) {
  extra = telling_part(number, extra);
  if (entries_.size() >= call_limit) extra = 0;
  auto [place, is_new] = entries_.try_emplace(uint64_t{number} << 48 | extra);
  if (is_new) {
    CallDescription text = describe_call(number, extra);
    place->second = {tables_.intern(text.call), tables_.intern(text.type), tables_.intern(text.name)};
  }
  return place->second;
}

}  // namespace culprit
