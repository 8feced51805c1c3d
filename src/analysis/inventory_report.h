// What a live process has open, now (≙ !handle). The counts, the handles that are many of a kind, and the others one by
// one with all that the kernel tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/handle_report.h"
#include "base/result.h"
#include "target/handle_inventory.h"
#include "target/target.h"

namespace culprit {

// What an epoll watches.
struct WatchedHandle {
  enum class State : uint8_t {
    open,
    closed,  // the number is not in use any more; another handle somewhere keeps the object, and so the watch
    other,   // the number is in use for something else by now
  };
  EpollWatch watch;
  State state = State::open;
};

struct HeldLock {
  FileLock lock;
  std::vector<HandleHolder> waiting;  // processes (by pid and name) that wait for it; owners unknown have pid 0
};

struct InventoryHandle {
  OpenHandle handle;
  // Pipes and connected sockets have another end. Holders are of any process that could be seen, the same one included.
  bool has_other_end = false;
  bool were_holders_sought = false;
  std::vector<HandleHolder> other_end;  // of a pipe: open for the other direction
  std::vector<HandleHolder> same_end;   // of a pipe: others that are open for the same direction
  uint64_t holders_left_out = 0;        // more than are kept
  std::vector<WatchedHandle> watches;   // of an epoll
  std::vector<HeldLock> locks;
  std::vector<int64_t> duplicates;  // of the process's own: they share the object, its offset and flags
  bool were_duplicates_sought = false;
};

struct InventoryGroup {
  std::string type, name;  // name: what they have in common; empty: only the type
  uint64_t count = 0;
  uint64_t allocated = 0;                           // bytes that deleted files among them hold
  std::vector<std::pair<int64_t, int64_t>> values;  // ranges, ascending; the first ones
  int64_t example = -1;
};

struct InventoryReport {
  uint32_t pid = 0;
  std::string process, command;
  OpenFilesLimit limit;  // 0 and 0: unknown
  uint64_t open = 0;
  int64_t highest = -1;                                 // value in use
  std::vector<std::pair<std::string, uint64_t>> types;  // of all, most first
  uint64_t deleted = 0, deleted_bytes = 0;              // files without a name, and what they keep from being freed
  uint64_t chosen = 0;                                  // those that were asked for
  std::vector<InventoryGroup> groups;                   // many of a kind among them, most first
  std::vector<InventoryHandle> handles;                 // by value
  uint64_t handles_left_out = 0;                        // neither in a group nor listed
  bool other_mounts = false, other_network = false;
  std::vector<MergedLoss> losses;
  bool exact = true;
};

struct InventoryOptions {
  std::vector<std::string> types;  // only these; empty: all
  std::optional<int64_t> value;    // only this one, in full
  bool counts_only = false;        // no handle of its own
  bool each = false;               // list also those that are in a group, and look everywhere for other ends
  size_t top = 100;                // handles listed at most; 0: all
};

// Errors: gone, no_access (as read_handle_inventory()), not_found (no such value).
Result<InventoryReport> build_inventory_report(uint32_t pid, const InventoryOptions& options);

// What a core tells of handles: the files that were mapped, nothing else.
struct MappedFile {
  std::string path;
  uint64_t bytes = 0;  // mapped in all
  uint64_t mappings = 0;
  bool is_shared = false, is_writable = false, is_deleted = false;  // any of its mappings
};
struct MappedFiles {
  std::string process;
  uint32_t pid = 0;
  std::vector<MappedFile> files;  // by path
  std::vector<MergedLoss> losses;
  bool exact = true;
};
MappedFiles mapped_files_of(Target& target);

}  // namespace culprit
