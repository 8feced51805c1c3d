#include "capture/shared_tables.h"

#include <fmt/core.h>

#include "capture/handle_calls.h"
#include "capture/patch_sites.h"
#include "target/elf_copy.h"

namespace culprit {
namespace {

template <typename Item>
Bytes bytes_of(const std::vector<Item>& items) {
  return std::as_bytes(std::span(items));
}

std::string unfit_sentence(std::string_view library, const std::vector<UnfitSite>& unfit) {
  std::string places;
  for (const UnfitSite& site : unfit) {
    if (!concerns_handles(site.number)) continue;
    if (!places.empty()) places += ", ";
    places += fmt::format("{} in {}", describe_call(site.number, 0).call, site.function.empty() ? "?" : site.function);
  }
  if (places.empty()) return "";
  return fmt::format("of {} these could not be patched, and what they make is only found by comparing with /proc: {}",
                     library, places);
}

}  // namespace

SharedModule& SharedTables::of(const ModuleFile& file) {
  auto [place, is_new] = modules_.try_emplace(&file);
  if (is_new && file.segments.empty()) place->second.unwind = place->second.sites = TableState::impossible;
  return place->second;
}

void SharedTables::build_unwind(const ModuleFile& file) {
  SharedModule& module = of(file);
  if (module.unwind != TableState::not_built) return;
  module.unwind = TableState::impossible;
  auto built = build_unwind_table(file);
  if (!built || built->rows.empty() || built->rows.size() > UINT32_MAX) return;
  const UnwindTable& table = *built;
  module.table.rows = memory_.add_table(bytes_of(table.rows));
  module.table.far = memory_.add_table(bytes_of(table.far));
  if (module.table.rows == 0 || (module.table.far == 0 && !table.far.empty())) {
    left_out_++;
    module.table = {};
    return;
  }
  module.table.row_count = static_cast<uint32_t>(table.rows.size());
  module.table.far_count = static_cast<uint32_t>(table.far.size());
  module.unwind = TableState::built;
}

void SharedTables::build_sites(const ModuleFile& file) {
  SharedModule& module = of(file);
  if (module.sites != TableState::not_built) return;
  module.sites = TableState::impossible;
  auto copy = copy_elf(file.opened_path, ElfParts::all_load);
  if (!copy) return;
  auto elf = parse_elf(copy->bytes());
  if (!elf) return;
  PatchSites found = find_patch_sites(*elf, patched_calls());
  module.unfit = unfit_sentence(file.path.substr(file.path.rfind('/') + 1), found.unfit);
  module.patches.sites = memory_.add_table(bytes_of(found.sites));
  if (module.patches.sites == 0) {
    left_out_ += !found.sites.empty();
    return;
  }
  module.patches.site_count = static_cast<uint32_t>(found.sites.size());
  module.known_sites = std::move(found.sites);
  module.sites = TableState::built;
}

UnwindCode SharedTables::unwind_code(const ModuleFile& file, uint64_t bias) {
  const SharedModule& module = of(file);
  if (module.unwind != TableState::built) return {bias, {}, {}};
  return {bias, memory_.table<culprit_unwind_row>(module.table.rows, module.table.row_count),
          memory_.table<uint32_t>(module.table.far, module.table.far_count)};
}

}  // namespace culprit
