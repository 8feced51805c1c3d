// What a thread of a live process waits for in the kernel that other processes can have: file locks, pipes, unix
// sockets, the end of a child; and who could end that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "target/target.h"

namespace culprit {

enum class PeerKind : uint8_t { file_lock, pipe, socket, child };

struct PeerWait {
  PeerKind kind = PeerKind::file_lock;
  bool is_write = false;            // into what is full; else it reads
  std::string name;                 // the file's path, "pipe 1234", "sleep (pid 12)"
  std::string key;                  // the same for waits for the same thing
  std::vector<uint32_t> processes;  // each of which could end it
  bool are_all_known = false;       // nobody else could: all of /proc could be read
};

// Nothing: the call is none of these, or has returned meanwhile.
std::optional<PeerWait> peer_wait_of(uint32_t pid, const BlockingCall& call);

}  // namespace culprit
