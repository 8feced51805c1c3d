// What of capturing works on this machine: the answers behind `culprit doctor`.
#pragma once

#include <string>
#include <vector>

namespace culprit {

struct CheckResult {
  std::string name;  // "agent library", "clock"
  bool works = false;
  std::string finding;  // one sentence: what was tried and seen
  std::string remedy;   // one sentence: what the user can do; empty when it works or nothing can be done
};

// Tries out each thing the agent back end needs: the library, shared memory, /proc access, a clock that agrees between
// CPUs, libc's system call sites, and finally a run of /bin/true with the agent. Takes well under a second.
std::vector<CheckResult> check_agent(const std::string& agent_library);

// The same for ptrace (the right to stop other processes of the same user, which later back ends need).
std::vector<CheckResult> check_ptrace();

// Loads and attaches the bpf back end's program for a moment.
std::vector<CheckResult> check_bpf();

}  // namespace culprit
