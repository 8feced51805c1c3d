#include "shell/inventory_command.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "analysis/inventory_report.h"
#include "base/syscall.h"
#include "shell/values.h"
#include "view/inventory_views.h"
#include "view/text_style.h"

namespace culprit {

namespace {

constexpr std::string_view of_inventories[] = {"--json",  "--csv", "--report", "--type",
                                               "--value", "--top", "--all",    "--summary"};

constexpr std::string_view of_cores[] = {"--json", "--csv", "--report"};

// Everything else asks for what is not there; `why` says so of the option.
Result<void> check_options(const Arguments& arguments, std::span<const std::string_view> known, std::string_view why) {
  for (const auto& [name, value] : arguments.options)
    if (std::ranges::find(known, name) == known.end()) return fail(ErrorKind::usage, fmt::format("{} {}", name, why));
  if (arguments.has("--json") && arguments.has("--csv")) return fail(ErrorKind::usage, "--json does not go with --csv");
  return {};
}

Result<InventoryOptions> inventory_options(const Arguments& arguments) {
  InventoryOptions options;
  const bool is_text = !arguments.has("--json") && !arguments.has("--csv");
  options.counts_only = arguments.has("--summary");
  // People read a screen; programs filter for themselves.
  options.each = arguments.has("--all") || !is_text;
  options.top = arguments.count("--top", options.each ? 0 : 100);
  options.types = comma_separated(arguments.text("--type"));
  if (!arguments.has("--value")) return options;
  auto value = parse_handle_value(arguments.text("--value"));
  if (!value) return tl::unexpected<Error>(std::move(value).error());
  options.value = *value;
  return options;
}

// To where the answer goes: a function of the style there.
template <typename ToText>
Ending write_answer(const Arguments& arguments, const Streams& streams, ToText to_text) {
  if (!arguments.has("--report")) return answer(streams, to_text(style_of(streams.output)));
  auto file = open_file(arguments.text("--report"), O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return complain(streams, file.error());
  auto written = write_all(file->get(), to_text(style_of(file->get())));
  return written ? ended_well : complain(streams, written.error());
}

}  // namespace

bool may_be_core(const std::string& path) {
  auto beginning = read_whole_file(path, 4);
  constexpr std::string_view magics[] = {"\x7f\x45LF", "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18"};  // ELF, zstd, lz4
  return beginning && std::ranges::find(magics, *beginning) != std::end(magics);
}

Ending run_handle_inventory(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  auto checked = check_options(arguments, of_inventories,
                               "needs a recording of the process: with --for 10s or --until-enter one is made");
  if (!checked) return complain(streams, checked.error());
  auto options = inventory_options(arguments);
  if (!options) return complain(streams, options.error());
  auto report = build_inventory_report(pid, *options);
  if (!report) return complain(streams, report.error());
  return write_answer(arguments, streams, [&](const TextStyle& style) {
    if (arguments.has("--json")) return inventory_as_json(*report, arguments.operands.front());
    if (arguments.has("--csv")) return options->counts_only ? type_counts_as_csv(*report) : inventory_as_csv(*report);
    return options->value ? handle_in_full(*report, style) : inventory_as_text(*report, *options, style);
  });
}

Ending run_core_inventory(const std::string& path, const Arguments& arguments, const Streams& streams) {
  auto checked = check_options(arguments, of_cores, "cannot be answered: a core does not have the process's handles");
  if (!checked) return complain(streams, checked.error());
  auto target = open_core(path);
  if (!target) return complain(streams, target.error());
  const MappedFiles files = mapped_files_of(**target);
  return write_answer(arguments, streams, [&](const TextStyle& style) {
    if (arguments.has("--json")) return mapped_files_as_json(files, path);
    return arguments.has("--csv") ? mapped_files_as_csv(files) : mapped_files_as_text(files, style);
  });
}

}  // namespace culprit
