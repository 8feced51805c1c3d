#include "capture/snapshot.h"

#include "capture/tsc_clock.h"
#include "target/handle_links.h"

namespace culprit {
namespace {

// Turns links into entries.
class TableReader {
 public:
  TableReader(uint32_t pid, TraceTables& tables) : pid_(pid), tables_(tables), sockets_(pid) {}

  SnapshotEntry entry_of(const HandleLink& link) {
    FdTarget target = target_of(pid_, link);
    SnapshotEntry entry;
    entry.value = link.number;
    entry.object = link.text.starts_with("/") ? link.inode : target.inode;
    entry.type = tables_.intern(target.type);
    entry.name = tables_.intern(name_in_recordings(target, link.text));
    return entry;
  }

 private:
  std::string name_in_recordings(const FdTarget& target, const std::string& link) {
    if (target.type == handle_type::socket) {
      const SocketRow* known = sockets_.find(target.inode);
      return known != nullptr ? "socket:[" + name_of(*known) + "]" : link;
    }
    if (target.name.empty()) return link;
    return target.is_deleted ? target.name + " (deleted)" : target.name;
  }

  uint32_t pid_;
  TraceTables& tables_;
  SocketTables sockets_;
};

}  // namespace

Result<HandleSnapshot> read_handle_table(uint32_t pid, TraceTables& tables) {
  HandleSnapshot snapshot;
  snapshot.begin = monotonic_now();
  auto links = read_handle_links(pid);
  if (!links) return tl::unexpected<Error>(links.error());
  TableReader reader(pid, tables);
  for (const HandleLink& link : *links) snapshot.entries.push_back(reader.entry_of(link));
  snapshot.handle_limit = handle_limit_of(pid);
  snapshot.end = monotonic_now();
  return snapshot;
}

}  // namespace culprit
