#include "shell/crash_commands.h"

#include "analysis/crash_groups.h"
#include "base/regular_file.h"
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

Ending answer_groups(const Arguments& arguments, const Streams& streams) {
  Symbolizer symbolizer;
  CrashGroups groups;
  for (const std::string& operand : arguments.operands) {
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
  const std::vector<std::string>& operands = arguments.operands;
  bool has_binary = operands.size() == 2 && is_binary(operands[1]);
  if (operands.size() > 1 && !has_binary) return answer_groups(arguments, streams);
  const std::string executable = has_binary ? operands[1] : arguments.text("--executable");
  auto target = open_target(operands.front(), executable);
  if (!target) return complain(streams, target.error());
  tell_of_unused(**target, executable, streams);
  return answer_crash(**target, arguments, streams);
}

}  // namespace culprit
