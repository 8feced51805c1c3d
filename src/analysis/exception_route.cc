#include "analysis/exception_route.h"

#include <algorithm>
#include <map>

#include "analysis/memory_piece.h"
#include "format/eh_frame.h"
#include "format/exception_table.h"
#include "target/elf_copy.h"

namespace culprit {
namespace {

constexpr size_t most_frames = 256, longest_table = 64 * 1024;

// The functions of a module that can be read here, ascending.
std::vector<Fde> functions_of(const TargetModule& module) {
  if (module.opened_path.empty()) return {};
  auto copy = copy_elf(module.opened_path, ElfParts::unwind);
  if (!copy) return {};
  auto elf = parse_elf(copy->bytes());
  if (!elf) return {};
  EhFrame frame = parse_eh_frame(find_eh_frame(*elf));
  for (Fde& fde : frame.fdes) fde.instructions = {};  // which are the copy's
  std::ranges::sort(frame.fdes, {}, &Fde::start);
  return std::move(frame.fdes);
}

class Route {
 public:
  explicit Route(Target& target) : target_(target) {}

  ExceptionWay at(const WalkedFrame& frame) {
    uint64_t pc = frame.address - (frame.found_by == FoundBy::registers ? 0 : 1);
    const TargetModule* module = target_.module_at(pc);
    if (module == nullptr) return ExceptionWay::unknown;
    const Fde* function = function_at(*module, pc - module->bias);
    if (function == nullptr) return ExceptionWay::unknown;
    if (function->handlers == 0) return ExceptionWay::passes;
    MemoryPiece table = read_memory_piece(target_.memory(), module->bias + function->handlers, longest_table);
    auto unknown = std::ranges::find(table.known, false);
    size_t size = static_cast<size_t>(unknown - table.known.begin());
    return way_of_exception(Bytes(table.bytes).first(size), function->handlers, pc - module->bias - function->start);
  }

 private:
  const Fde* function_at(const TargetModule& module, uint64_t pc) {
    auto [place, is_new] = functions_.try_emplace(&module);
    if (is_new) place->second = functions_of(module);
    auto behind = std::ranges::upper_bound(place->second, pc, {}, &Fde::start);
    bool is_inside = behind != place->second.begin() && pc < std::prev(behind)->end;
    return is_inside ? &*std::prev(behind) : nullptr;
  }

  Target& target_;
  std::map<const TargetModule*, std::vector<Fde>> functions_;
};

}  // namespace

std::optional<size_t> frame_that_keeps_exceptions(Target& target, std::span<const WalkedFrame> frames) {
  Route route(target);
  for (size_t i = 0; i < std::min(frames.size(), most_frames); ++i) {
    ExceptionWay way = route.at(frames[i]);
    if (way == ExceptionWay::forbidden) return i;
    if (way == ExceptionWay::unknown) return {};
  }
  return {};
}

}  // namespace culprit
