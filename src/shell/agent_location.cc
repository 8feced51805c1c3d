#include "shell/agent_location.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <filesystem>

#include "base/syscall.h"

namespace culprit {

Result<std::string> find_agent_library(AgentKind kind) {
  char executable[PATH_MAX];
  auto length = checked("cannot tell where culprit itself lies",
                        [&] { return ::readlink("/proc/self/exe", executable, sizeof(executable)); });
  if (!length) return tl::unexpected<Error>(std::move(length).error());
  std::filesystem::path folder =
      std::filesystem::path(std::string(executable, static_cast<size_t>(*length))).parent_path();
  constexpr std::array<std::string_view, 3> names = {"libculprit_agent.so", "libculprit_agent_wrappers.so",
                                                     "libculprit_agent_heap.so"};
  const std::string_view name = names.at(static_cast<size_t>(kind));
  for (const std::filesystem::path& candidate : {folder / name, folder.parent_path() / "lib/culprit" / name})
    if (::access(candidate.c_str(), R_OK) == 0) return candidate.string();
  return fail(
      ErrorKind::not_found,
      fmt::format(
          "{} is neither beside culprit in {} nor in ../lib/culprit: install culprit as a whole, or build it again",
          name, folder.string()));
}

}  // namespace culprit
