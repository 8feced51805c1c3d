#include "view/growth_views.h"

#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/json.h"
#include "view/report_json.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t sizes_shown = 5;

uint64_t share(uint64_t part, uint64_t whole) { return whole == 0 ? 0 : part * 100 / whole; }

std::string in_time(const HeapGrowth& growth) { return "in " + duration_in_words(growth.seconds); }

std::string headline(const HeapGrowth& growth, const AllocationReport* recorded, const TextStyle& style) {
  if (growth.sizes.empty())
    return fmt::format("culprit: {} between two looks, {} apart: {} in use in {}",
                       inked(style, Ink::good, "the heap did not grow"), duration_in_words(growth.seconds),
                       bytes_in_words(growth.in_use.bytes), counted(growth.in_use.blocks, "block"));
  const SizeGrowth* suspect = growth.suspect();
  if (suspect == nullptr)
    return fmt::format("culprit: the heap grew by {} {}, and {}", bytes_in_words(growth.more_bytes), in_time(growth),
                       inked(style, Ink::strong, "not by blocks of one size"));
  std::string who = "nobody allocated one while that size was recorded";
  if (recorded != nullptr && !recorded->groups.empty() && recorded->groups.front().outstanding.blocks == 0)
    who = "while that size was recorded all were freed again";
  else if (recorded != nullptr && !recorded->groups.empty())
    who = "what is left of them comes from " +
          inked(style, Ink::bad, blamed_phrase(recorded->groups.front().stack, style.columns));
  return fmt::format("culprit: blocks of {} bytes grow, {} more {} ({} % of what grew); {}",
                     inked(style, Ink::strong, with_thousands(suspect->size)), with_thousands(suspect->more_blocks()),
                     in_time(growth), share(suspect->more_bytes(), growth.more_bytes), who);
}

std::string sizes_text(const HeapGrowth& growth) {
  std::string text;
  for (size_t i = 0; i < std::min(sizes_shown, growth.sizes.size()); ++i) {
    const SizeGrowth& size = growth.sizes[i];
    text +=
        fmt::format("  {:>9} more: {:>7} blocks of {} bytes (there are {})\n", bytes_in_words(size.more_bytes()),
                    with_thousands(size.more_blocks()), with_thousands(size.size), with_thousands(size.after.blocks));
  }
  if (growth.sizes.size() > sizes_shown)
    text += fmt::format("  … and {}\n", counted(growth.sizes.size() - sizes_shown, "more size"));
  return text;
}

}  // namespace

std::string growth_as_text(const HeapGrowth& growth, const AllocationReport* recorded,
                           const AllocationTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text = wrapped(headline(growth, recorded, style), style.columns, 0, 9) + "\n\n" + sizes_text(growth);
  if (growth.stopped_for != 0)
    text += line_text(style, fmt::format("the process was stopped for {} to look at its heap",
                                         duration_in_words(static_cast<double>(growth.stopped_for) / 1e9)));
  text += losses_text(growth.losses, style);
  return recorded == nullptr ? text : text + "\n" + as_text(*recorded, options);
}

std::string growth_as_json(const HeapGrowth& growth, const AllocationReport* recorded, const std::string& target) {
  Json json{{"schema", json_schema},
            {"target", utf8(target)},
            {"exact", growth.exact},
            {"losses", losses_json(growth.losses)}};
  if (recorded != nullptr) json = Json::parse(as_json(*recorded, target));
  Json sizes = Json::array();
  for (const SizeGrowth& size : growth.sizes)
    sizes.push_back({{"size", size.size},
                     {"blocks_before", size.before.blocks},
                     {"blocks_after", size.after.blocks},
                     {"more_bytes", size.more_bytes()}});
  json["growth"] = {{"seconds", growth.seconds},
                    {"more_bytes", growth.more_bytes},
                    {"suspect", growth.suspect() == nullptr ? Json() : Json(growth.suspect()->size)},
                    {"exact", growth.exact},
                    {"losses", losses_json(growth.losses)},
                    {"sizes", sizes}};
  return json_text(json);
}

}  // namespace culprit
