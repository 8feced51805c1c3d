// Which processes hold an object: the other end of a pipe or socket, or the same end once more.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace culprit {

struct HandleHolder {
  uint32_t pid = 0;
  std::string process;  // its name
  int64_t value = -1;
  bool reads = false, writes = false;  // what it is open for

  bool operator==(const HandleHolder&) const = default;
};

// What is looked for: links as /proc/PID/fd has them. Of what has a path, another file may be called so in another
// mount namespace: its device and inode decide.
struct HeldObject {
  uint64_t inode = 0, device = 0;  // 0: the link says it all
};
using HeldObjects = std::unordered_map<std::string, HeldObject>;

struct HolderSearch {
  struct Found {
    std::vector<HandleHolder> holders;  // by pid and value; a bounded number
    uint64_t in_all = 0;
  };
  std::unordered_map<std::string, Found> by_link;
  uint64_t processes_not_readable = 0;  // others' (or hidden altogether: then 1)
  uint64_t processes_left_out = 0;      // beyond `most_links`

  const Found* find(const std::string& link) const;
};

// A process whose table is known already: numbers and links.
struct KnownTable {
  uint32_t pid = 0;
  std::vector<std::pair<int64_t, std::string_view>> links;
};
// Looks through the tables of all processes that can be seen, at most so many links beside the known ones (0: all).
HolderSearch find_holders(const HeldObjects& objects, const KnownTable& known, uint64_t most_links);
// The table of `first` is read, too, in any case.
HolderSearch find_holders(const HeldObjects& objects, uint32_t first, uint64_t most_links);

}  // namespace culprit
