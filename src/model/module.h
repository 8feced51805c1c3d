// A file (or the vdso) whose code ran.
#pragma once

#include <cstdint>
#include <string>

namespace culprit {

struct Module {
  std::string path;      // as the process saw it; "[vdso]" for the vdso
  std::string build_id;  // lower-case hex of the GNU build id; empty: has none
  // Where to read its file, if that is not at `path`: in another mount namespace, deleted, found elsewhere. Only of
  // what is looked at now; recordings do without.
  std::string opened_path = {};

  bool operator==(const Module&) const = default;
};

}  // namespace culprit
