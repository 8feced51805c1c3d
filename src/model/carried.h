// What was open at the moment from which a circular recording is complete: the part of the past that is still needed
// when the events themselves have fallen out of the file. docs/trace-format.md, "Circular recordings".
#pragma once

#include <cstdint>
#include <vector>

#include "model/ids.h"

namespace culprit {

enum class HowCreated : uint8_t { open, duplicate, inherit, receive, existing, unknown_origin };
inline constexpr size_t how_created_count = 6;

// A handle that was open then, with all that is known of how it came.
struct CarriedHandle {
  int64_t value = -1;
  Time created = 0;  // its own beginning: for an inherited one, the fork
  Time made = 0;     // when the handle that it was inherited from was made; else = created
  uint64_t object = 0;
  uint64_t inode = 0;
  StringId type = StringId::none, call_type = StringId::none;  // best known; as the creating call told
  StringId name = StringId::none;
  StringId call = StringId::none;
  StackId stack = StackId::none;
  ProcessId creating = ProcessId::none, owning = ProcessId::none;
  uint32_t tid = 0;
  HowCreated how = HowCreated::open;
  bool suspected = false;  // /proc had it, but that needs a second look
  bool changed = false;    // some event named its number before, perhaps of an older handle

  bool operator==(const CarriedHandle&) const = default;
};

// A process that lived then, and what it had done before.
struct CarriedProcess {
  ProcessId process = ProcessId::none;
  ProcessId parent = ProcessId::none;  // whose table it got a copy of; none: not known
  Time start = 0;
  uint64_t handle_limit = 0;
  uint64_t created = 0, inherited = 0, closed = 0, failed_closes = 0, most_open = 0;

  bool operator==(const CarriedProcess&) const = default;
};

// One handle table, or a part of a large one: parts of one table have the same owner.
struct CarriedTable {
  Time as_of = 0;  // everything up to this moment is in it, everything later is in the events
  ProcessId owner = ProcessId::none;
  std::vector<CarriedProcess> processes;  // whose table it is: several after clone(CLONE_FILES)
  bool has_baseline = false;              // what the next snapshot finds more was not there before
  bool exec_pending = false;              // the snapshot that tells what an exec closed is still to come
  Time exec_time = 0;
  Time forked = 0;  // 0: not a copy of another
  std::vector<CarriedHandle> handles;

  bool operator==(const CarriedTable&) const = default;
};

}  // namespace culprit
