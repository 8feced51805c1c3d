#include "view/missing_modules.h"

#include <fmt/format.h>

#include "base/text.h"
#include "view/json.h"
#include "view/missing_modules_json.h"

namespace culprit {

namespace {

constexpr size_t name_indent = 2, why_indent = 6;

std::string module_lines(const MissingModule& module, const TextStyle& style) {
  std::string name = module.module.path.empty() ? fmt::format("a file without name at {:#x}", module.start)
                                                : shown(module.module.path, style.columns - name_indent - 20);
  std::string text = fmt::format("{:{}}{}", "", name_indent, inked(style, Ink::name, name));
  if (module.stacks != 0) text += fmt::format(", on {}", counted(module.stacks, "stack"));
  std::string why = wrapped(printable(module.why), style.columns, why_indent, why_indent);
  return fmt::format("{}\n{:{}}{}\n", text, "", why_indent, why);
}

}  // namespace

std::string missing_modules_text(std::span<const MissingModule> modules, const MissingModulesOptions& options) {
  if (modules.empty()) return {};
  const TextStyle& style = options.style;
  std::string head = fmt::format(
      "{} missing that the process had mapped: functions in {} have no names, and stacks through {} may end early",
      counted(modules.size(), "file is", "files are"), modules.size() == 1 ? "it" : "them",
      modules.size() == 1 ? "it" : "them");
  std::string text = inked(style, Ink::warning, wrapped(head, style.columns, 0, 2)) + "\n";
  for (const MissingModule& module : modules.first(std::min(modules.size(), options.most)))
    text += module_lines(module, style);
  if (modules.size() > options.most)
    text += fmt::format("{:{}}… and {} more\n", "", name_indent, with_thousands(modules.size() - options.most));
  if (options.is_core) text += "  Put the very files beside the core, or install what they come from.\n";
  return text;
}

Json missing_modules_json(std::span<const MissingModule> modules) {
  Json list = Json::array();
  for (const MissingModule& module : modules)
    list.push_back({{"path", utf8(module.module.path)},
                    {"build_id", module.module.build_id},
                    {"start", module.start},
                    {"why", utf8(module.why)},
                    {"stacks", module.stacks}});
  return list;
}

}  // namespace culprit
