// A process's handle table as /proc/PID/fd has it now: the numbers, and what each is open on.
#pragma once

#include <sys/types.h>

#include <climits>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "format/procfs.h"

namespace culprit {

// What /proc says of one handle.
struct HandleLink {
  int number = 0;
  std::string text;  // the link, as parse_fd_link() reads it
  // Of what has a path; else 0:
  mode_t mode = 0;
  uint64_t inode = 0, device = 0;    // st_dev
  uint64_t size = 0, allocated = 0;  // bytes: how long it is, and how much room it takes
};

// All of a process, by number, without the one that we read them through. Handles that go or come meanwhile are missing
// or in, one by one. Errors: gone (no such process, or it has ended), no_access (another user's process).
// `once_per_name`: of several handles of one name only the first is asked for mode, inode and sizes, unless the file is
// deleted. That is half of the cost of a large table, and wrong where mounts hide one file behind another of its name.
enum class AskFiles : uint8_t { each, once_per_name };
Result<std::vector<HandleLink>> read_handle_links(uint32_t pid, AskFiles ask = AskFiles::each);
// What has a path, asked anew.
void ask_file(int folder, const char* name, HandleLink& link);

// What a link says, with what only the file system knows.
FdTarget target_of(uint32_t pid, const HandleLink& link);

// How many handles of each type there are; cheaper, as nothing is named. Errors as above.
Result<std::map<std::string_view, uint64_t>> count_handle_types(uint32_t pid);

// Soft RLIMIT_NOFILE of a process; 0 when it cannot be read.
uint64_t handle_limit_of(uint32_t pid);

// The numbers that a folder of /proc has from its position on, ascending, up to and without `end`. Few calls, no
// allocation for each.
std::vector<int> numbers_in(int folder, int end = INT_MAX);

// Does `work` for [first, end) of `count` pieces, by several threads where that is worth one for each `at_least`: a
// look at a handle costs the kernel some microseconds.
void in_parts(size_t count, const std::function<void(size_t first, size_t end)>& work, size_t at_least = 1000);

// Sockets of a process's network namespace, read when the first one is asked for.
class SocketTables {
 public:
  explicit SocketTables(uint32_t pid) : pid_(pid) {}
  const SocketRow* find(uint64_t inode);                                     // null: in none of the tables
  SocketRows take() && { return rows_ ? std::move(*rows_) : SocketRows(); }  // those that were read

 private:
  uint32_t pid_;
  std::optional<SocketRows> rows_;
};

}  // namespace culprit
