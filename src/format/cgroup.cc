#include "format/cgroup.h"

#include "format/fields.h"

namespace culprit {

std::optional<std::string_view> cgroup_path(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    std::string_view path = take_line(text);
    take_until(path, ':');
    std::string_view controllers = take_until(path, ':');
    if (controller.empty() && controllers.empty()) return path;
    while (!controllers.empty())
      if (take_until(controllers, ',') == controller && !controller.empty()) return path;
  }
  return {};
}

std::optional<uint64_t> cgroup_number(std::string_view text) {
  constexpr uint64_t no_limit = uint64_t{1} << 62;  // version 1 has the largest multiple of a page there
  auto number = leading_number<uint64_t>(text);
  return number && *number < no_limit ? number : std::nullopt;
}

std::optional<uint64_t> cgroup_counter(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) == key) return leading_number<uint64_t>(take_word(line));
  }
  return {};
}

}  // namespace culprit
