// The agent's library as a file, and what of it (and of sessions) there is in a process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/elf.h"

namespace culprit {

struct AgentFile {
  std::string path;  // absolute
  uint64_t device = 0, inode = 0;
  std::vector<ElfSegment> segments;
  uint64_t attach = 0, call = 0;  // link-time addresses of culprit_attach and culprit_call

  static Result<AgentFile> open(const std::string& path);
};

// Mapped there now.
struct AgentPresence {
  uint64_t start = 0, end = 0;  // of the library's file; 0: it is not loaded
  uint64_t bias = 0;            // absolute minus link-time address; known if is_this_file
  bool is_this_file = false;    // and not another version, or one that was replaced since
  bool began_with_it = false;   // the program was started with it, so its loader never unloads it
  bool has_wrappers = false;    // one of the other libraries, which cannot be taken out

  // A session's memory. There may be holes, with other things in them.
  struct Piece {
    uint64_t start = 0, end = 0;
  };
  std::vector<Piece> session;
  uint64_t session_inode = 0;

  bool is_anything() const { return start != 0 || has_wrappers || !session.empty(); }
  bool covers(uint64_t address) const { return address >= start && address < end; }
};
Result<AgentPresence> find_agent(uint32_t pid, const AgentFile& file);

// All processes that have that session's memory mapped, this one left out.
std::vector<uint32_t> processes_of_session(uint64_t session_inode);

}  // namespace culprit
