// An event of the kernel side, taken apart and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "wire/bpf_events.h"

namespace culprit {

// A stack that could not be unwound yet.
struct StackCopy {
  uint64_t ip = 0, sp = 0, bp = 0;
  std::vector<std::byte> bytes;  // from sp on
};

struct BpfEvent {
  culprit_bpf_event header{};
  std::vector<uint64_t> frames;  // innermost first, with CULPRIT_BPF_FRAME_* bits
  std::vector<uint64_t> words;   // of a handle table
  StackCopy copy;
  std::string_view name;  // in the bytes it was taken from

  bool has(culprit_bpf_flag flag) const { return (header.flags & flag) != 0; }
};

// Nothing: its lengths do not fit its bytes.
std::optional<BpfEvent> parse_bpf_event(Bytes bytes);

}  // namespace culprit
