// One life of a number in a handle table, as worked out from events.
#pragma once

#include <cstdint>
#include <type_traits>

#include "model/carried.h"
#include "model/ids.h"

namespace culprit {

enum class HowClosed : uint8_t { still_open, close, replaced, exec, exit, vanished };
inline constexpr size_t how_closed_count = 6;

// Made by the process itself, so that it can be its leak.
constexpr bool made_here(HowCreated how) {
  return how == HowCreated::open || how == HowCreated::duplicate || how == HowCreated::receive;
}
// Nothing in the program closed it.
constexpr bool left_open(HowClosed how) { return how == HowClosed::still_open || how == HowClosed::exit; }

struct HandleLife {
  int64_t value = -1;
  Time created = 0;                     // for inherited ones: the fork; for unknown ones: when first seen
  Time closed = 0;                      // for open ones: the end of the recording
  Time made = 0;                        // when the handle that this one was inherited from was made; else = created
  uint64_t object = 0;                  // handles of one trace with the same number are on one object
  uint64_t inode = 0;                   // 0: unknown
  StringId type = StringId::none;       // best known
  StringId call_type = StringId::none;  // as the creating call tells: the same for all calls of one kind
  StringId name = StringId::none;
  StringId created_call = StringId::none, closed_call = StringId::none;
  StackId created_stack = StackId::none, closed_stack = StackId::none;
  ProcessId creating = ProcessId::none, owning = ProcessId::none, closing = ProcessId::none;
  uint32_t created_tid = 0, closed_tid = 0;
  HowCreated how_created = HowCreated::open;
  HowClosed how_closed = HowClosed::still_open;
};
static_assert(std::is_trivially_copyable_v<HandleLife>);

// Receives each life when it is over, or when the recording is. In order of ending.
class HandleLifeSink {
 public:
  virtual ~HandleLifeSink() = default;
  virtual void on_life(const HandleLife& life) = 0;
};

}  // namespace culprit
