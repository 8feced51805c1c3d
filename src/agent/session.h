// Finding the shared memory of the session through the environment, and leaving the environment as the program shall
// see it.
#pragma once

#include <stdint.h>

namespace culprit::agent {

// The parts of CULPRIT_SESSION_VARIABLE, see wire/agent_session.h.
struct SessionText {
  uint32_t collector_pid = 0;
  uint32_t collector_fd = 0;
  char socket_name[108] = {};
  uint64_t id = 0;
  bool restricted = false;
};

// Reads the variable and, if `hide`, takes it out of `environment`. False: there is none, or it is malformed.
bool take_session_from(char** environment, SessionText& text, bool hide);
// The same with the variable's value; it has room for exec_variable.
bool take_session_value(const char* value, SessionText& text);
// Takes the agent, which stands first, out of LD_PRELOAD (and LD_PRELOAD out of the environment if nothing else was in
// it), and CULPRIT_SANITIZER_ENTRY.
void hide_preload_from(char** environment);

// The program limits its address space, against which our mapping counts: gives back what this process has no use for
// yet. Threads beyond a few more than it has now, and libraries loaded later, are then not recorded.
void make_room_for_limit();

// Maps the session and fills `process`. False: out of reach, or not ours. No fd stays open.
bool open_session(const SessionText& text);
// Before anything was claimed in it.
void close_session();

}  // namespace culprit::agent
