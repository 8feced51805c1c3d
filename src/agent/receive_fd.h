// The second way to the session's memory, for processes of other users: the collector hands it over a socket.
#pragma once

#include <stdint.h>

namespace culprit::agent {

// Connects to the abstract unix socket `name`, says the session's id, and returns the fd that comes back, or a negative
// errno. Gives up after a moment if nobody answers.
int64_t receive_fd(const char* name, uint64_t session_id);

}  // namespace culprit::agent
