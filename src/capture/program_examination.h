// What kind of program a command is, before it runs: whether the agent can be loaded into it.
#pragma once

#include <string>

#include "base/result.h"

namespace culprit {

enum class ProgramKind : uint8_t {
  followable,       // a dynamic x86-64 program with glibc's loader
  static_program,   // no loader that could load the agent
  go_program,       // makes its system calls without libc
  privileged,       // set-uid, set-gid or file capabilities: the loader ignores LD_PRELOAD
  other_word_size,  // 32-bit: the agent does not fit
  foreign_loader,   // musl and others
  other_machine,    // runs by an emulator
  unknown,          // not ELF, or not readable
};

struct ProgramExamination {
  ProgramKind kind = ProgramKind::unknown;
  std::string path;  // of the binary that will run: for a script its interpreter
  std::string what;  // "a static program"; empty when followable

  bool is_followable() const { return kind == ProgramKind::followable || kind == ProgramKind::unknown; }
  // LD_PRELOAD makes 32-bit loaders complain and foreign ones fail, and a privileged program ignores it, so that nobody
  // would take the session out of its environment: they must not see it.
  bool tolerates_preload() const {
    return kind != ProgramKind::other_word_size && kind != ProgramKind::foreign_loader &&
           kind != ProgramKind::other_machine && kind != ProgramKind::privileged;
  }
  // "culprit cannot …: the table is read from outside instead", for Process::sight_reason. Empty when followable.
  std::string sight_reason() const;
  // "x is a static program, which culprit's agent cannot be loaded into"; empty when followable.
  std::string why_no_agent() const;
};

// What execvp would run. not_found: exit status 127; no_access: 126. The sentences are for the user.
Result<std::string> find_program(const std::string& name, const std::string& search_path);

// Follows `#!` lines as the kernel does (at most 5).
ProgramExamination examine_program(const std::string& path);

}  // namespace culprit
