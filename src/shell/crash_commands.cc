#include "shell/crash_commands.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <set>
#include <utility>

#include "analysis/crash_groups.h"
#include "base/regular_file.h"
#include "base/syscall.h"
#include "base/text.h"
#include "format/elf.h"
#include "shell/crash_pages.h"
#include "shell/target_argument.h"
#include "view/crash_views.h"

namespace culprit {
namespace {

CrashTextOptions text_options(const Arguments& arguments, const Streams& streams) {
  return {.style = style_of(streams.output), .brief = arguments.has("--brief"), .details = arguments.has("--all")};
}

// A program or library, and not a core.
bool is_binary(const std::string& path) {
  auto mapping = map_regular_file(path);
  if (!mapping) return false;
  auto elf = parse_elf(mapping->bytes());
  return elf && elf->type != elf::type_core;
}

// Each crash once, whatever names and links lead to its core.
std::vector<std::string> without_repeats(const std::vector<std::string>& operands) {
  std::set<std::pair<dev_t, ino_t>> files;
  std::set<std::string> words;
  std::vector<std::string> different;
  for (const std::string& operand : operands) {
    struct stat status {};
    const bool is_file = ::stat(operand.c_str(), &status) == 0;
    const bool is_new = is_file ? files.emplace(status.st_dev, status.st_ino).second : words.insert(operand).second;
    if (is_new) different.push_back(operand);
  }
  return different;
}

Ending answer_groups(const Arguments& arguments, const std::vector<std::string>& operands, const Streams& streams) {
  Symbolizer symbolizer;
  CrashGroups groups;
  for (const std::string& operand : operands) {
    auto target = open_target(operand, arguments.text("--executable"));
    auto report = target ? page_about(**target, symbolizer, streams.errors)
                         : Result<CrashReport>(tl::unexpected<Error>(target.error()));
    if (report)
      add_crash(groups, std::move(*report));
    else
      groups.unread.push_back({operand, report.error().what});
  }
  sort_groups(groups);
  Ending ending = groups.groups.empty() ? ended_in_failure : ended_well;
  return answer(streams,
                arguments.has("--json") ? crash_groups_as_json(groups)
                                        : crash_groups_as_text(groups, text_options(arguments, streams)),
                ending);
}

}  // namespace

Ending answer_crash(Target& target, const Arguments& arguments, const Streams& streams) {
  Symbolizer symbolizer;
  auto report = page_about(target, symbolizer, streams.errors);
  if (!report) return complain(streams, report.error());
  return answer(streams, arguments.has("--json") ? crash_as_json(*report)
                                                 : crash_as_text(*report, text_options(arguments, streams)));
}

Ending run_crash(const Arguments& arguments, const Streams& streams) {
  const std::vector<std::string> operands = without_repeats(arguments.operands);
  if (const size_t repeats = arguments.operands.size() - operands.size(); repeats != 0)
    static_cast<void>(write_all(
        streams.errors, fmt::format("culprit: {}: each crash counts once\n",
                                    counted(repeats, "name leads where another does", "names lead where others do"))));
  bool has_binary = operands.size() == 2 && is_binary(operands[1]);
  if (operands.size() > 1 && !has_binary) return answer_groups(arguments, operands, streams);
  const std::string executable = has_binary ? operands[1] : arguments.text("--executable");
  auto target = open_target(operands.front(), executable);
  if (!target) return complain(streams, target.error());
  tell_of_unused(**target, executable, streams);
  return answer_crash(**target, arguments, streams);
}

}  // namespace culprit
