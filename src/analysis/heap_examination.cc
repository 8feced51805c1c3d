#include "analysis/heap_examination.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/heap_allocator.h"
#include "analysis/heap_collector.h"
#include "analysis/heap_layout.h"
#include "analysis/heap_leaks.h"
#include "analysis/heap_pointers.h"
#include "analysis/heap_roots.h"
#include "analysis/heap_types.h"
#include "analysis/memory_snapshot.h"
#include "analysis/memory_use.h"
#include "analysis/target_names.h"
#include "analysis/trace_words.h"
#include "base/text.h"
#include "model/clock.h"

namespace culprit {

namespace {

constexpr size_t most_pointers = 32;
constexpr size_t shown_bytes = 64;
constexpr size_t most_broken_links = 64;

class HeapExamination {
 public:
  HeapExamination(Target& target, const HeapQuestion& question, const SymbolOptions& options)
      : target_(target), question_(question), types_(target, options), names_(target, options) {
    report_.question = question;
    report_.target = target.info().name;
    report_.is_live = target.info().kind == TargetKind::live;
    report_.pid = target.info().pid;
  }

  Result<HeapReport> run() {
    const HeapAllocator allocator = find_allocator();
    if (allocator.is_foreign() && !layout_ && question_.ask != HeapAsk::summary)
      return tl::unexpected<Error>(why_no_heap(allocator));
    CULPRIT_TRY(look());
    if (allocator.is_foreign() && layout_ && layout_->is_unused())
      layout_ = fail(ErrorKind::not_found, "glibc's malloc has given out nothing");
    if (!layout_ && question_.ask != HeapAsk::summary) return tl::unexpected<Error>(why_no_heap(allocator));
    take_allocator(allocator);
    if (layout_) {
      CULPRIT_TRY(check_arena());
      take_collected();
    }
    if (question_.ask == HeapAsk::summary)
      report_.memory = examine_memory(target_, layout_ ? &*layout_ : nullptr, threads_);
    count_losses();
    return std::move(report_);
  }

 private:
  bool needs_copy() const { return question_.ask == HeapAsk::unreachable && report_.is_live; }
  MemoryReader& memory() { return copy_ ? static_cast<MemoryReader&>(*copy_) : target_.memory(); }
  HeapAllocator find_allocator();
  Result<void> look();
  void look_at(std::span<const TargetThread> threads);
  void walk();
  bool take(const HeapBlock& block, Bytes first);
  void look_at_block();
  // Of what there was no time for while it stood still.
  void look_at_rest();
  Error why_no_heap(const HeapAllocator& allocator) const;
  void take_allocator(const HeapAllocator& allocator);
  Result<void> check_arena() const;
  void take_collected();
  void take_breaks();
  void take_sizes();
  void take_types();
  void take_block();
  bool is_mallocs_own(const FoundPointer& pointer, const HeapBlock& block) const;
  void take_registers(const TargetThread& thread, const HeapBlock& block);
  void take_leaks();
  void keep_first_groups();
  std::string where(uint64_t address);
  uint64_t places_at_work() const;
  void count_losses();

  Target& target_;
  const HeapQuestion& question_;
  HeapTypes types_;
  TargetNames names_;
  HeapReport report_;
  // From the moment of the look.
  std::vector<TargetThread> threads_;
  Result<HeapLayout> layout_ = fail(ErrorKind::not_found, "");
  std::optional<HeapCollector> collected_;
  HeapWalkResult walked_;
  FoundPointers pointers_;
  std::optional<MemorySnapshot> copy_;
  Time deadline_ = no_deadline;  // until which it may stand still
  uint64_t taken_ = 0;
  bool has_run_meanwhile_ = false;  // between the first and the last look at its memory
};

// Before it is stopped, which is not worth it where there is nothing to tell: glibc's malloc may be in use beside
// another one, which shows as it runs.
HeapAllocator HeapExamination::find_allocator() {
  HeapAllocator allocator = allocator_of(target_, false);
  if (!allocator.is_foreign()) return allocator;
  layout_ = find_heap(target_, {});
  allocator = allocator_of(target_, layout_.has_value());
  if (layout_ && layout_->is_unused()) layout_ = fail(ErrorKind::not_found, "glibc's malloc has given out nothing");
  return allocator;
}

Result<void> HeapExamination::look() {
  if (needs_copy()) {
    auto room = MemorySnapshot::make_room(target_);
    if (!room) return tl::unexpected<Error>(std::move(room).error());
    copy_.emplace(std::move(*room));
  }
  auto look_at_them = [this](std::span<const TargetThread> threads) {
    if (report_.is_live) deadline_ = monotonic_now() + question_.stop_at_most;
    look_at(threads);
  };
  Result<void> held;
  if (!question_.no_stop) {
    held = target_.hold_still(look_at_them);
    report_.stopped_for = target_.longest_stop();
    if (!held && held.error().kind != ErrorKind::limit) return held;
    if (!held) report_.notes.push_back(held.error().what + ", so the heap was read while the process ran");
  }
  if (question_.no_stop || !held) {
    auto threads = target_.threads(ThreadWish::names_and_waits);
    if (!threads) return tl::unexpected<Error>(std::move(threads).error());
    look_at(*threads);
  }
  deadline_ = no_deadline;
  if (has_run_meanwhile_) look_at_rest();
  if (copy_) walk();
  return {};
}

// While it stands still: only what has to be done then.
void HeapExamination::look_at(std::span<const TargetThread> threads) {
  threads_.assign(threads.begin(), threads.end());
  if (copy_) {
    has_run_meanwhile_ = !copy_->copy(target_, deadline_);
    return;
  }
  walk();
  has_run_meanwhile_ = walked_.left_off || pointers_.left_off || (question_.ask == HeapAsk::block && !report_.block);
}

bool HeapExamination::take(const HeapBlock& block, Bytes first) {
  constexpr uint64_t between_looks = 1024;
  collected_->add(block, first);
  return ++taken_ % between_looks != 0 || monotonic_now() < deadline_;
}

void HeapExamination::look_at_rest() {
  report_.notes.push_back(
      fmt::format("its memory cannot be read within {}, for which it may stand still (--stop-at-most): the rest was "
                  "read while it ran",
                  duration_in_words(static_cast<double>(question_.stop_at_most) / 1e9)));
  if (copy_) return copy_->copy_rest(target_);
  if (!layout_) return;
  layout_->is_moving = true;
  if (walked_.left_off)
    walked_.add(walk_heap(
        *layout_, memory(), [this](const HeapBlock& block, Bytes first) { return take(block, first); },
        *walked_.left_off));
  if (question_.ask == HeapAsk::block) look_at_block();
}

void HeapExamination::walk() {
  layout_ = find_heap(target_, memory(), threads_);
  if (!layout_) return;
  const bool is_stopped =
      std::ranges::any_of(threads_, [](const TargetThread& thread) { return thread.known == RegistersKnown::all; });
  layout_->is_moving = report_.is_live && (!is_stopped || has_run_meanwhile_);
  if (layout_->is_moving)
    for (HeapBreak& each : layout_->breaks) each.is_under_change = true;
  collected_.emplace(*layout_, question_, target_.modules());
  const Time begin = monotonic_now();
  walked_ = walk_heap(*layout_, memory(), [this](const HeapBlock& block, Bytes first) { return take(block, first); });
  // Its piece of the heap is walked once more.
  const bool has_time = deadline_ == no_deadline || 2 * monotonic_now() - begin < deadline_;
  if (question_.ask == HeapAsk::block && has_time) look_at_block();
}

void HeapExamination::look_at_block() {
  if (!report_.block) report_.block.emplace().place = place_in_heap(*layout_, target_.memory(), question_.address);
  HeapBlockReport& block = *report_.block;
  if (!block.place || !block.place->block) return;
  const HeapBlock& found = *block.place->block;
  block.first.resize(std::min<uint64_t>(found.size, shown_bytes));
  if (!target_.memory().read(found.address, block.first)) block.first.clear();
  if (found.is_in_use())
    find_pointers_into(target_, {found.address, found.address + std::max<uint64_t>(found.size, 1)}, most_pointers,
                       deadline_, pointers_);
}

Error HeapExamination::why_no_heap(const HeapAllocator& allocator) const {
  if (!allocator.is_foreign()) return layout_.error();
  return {ErrorKind::unsupported,
          fmt::format("malloc is served by {}, whose blocks cannot be told apart in memory: culprit heap {} without "
                      "options tells what memory there is, and {}",
                      allocator.name, printable(report_.target), allocator.what_is_left()),
          {}};
}

void HeapExamination::take_allocator(const HeapAllocator& allocator) {
  report_.allocator = allocator.is_foreign() ? allocator.name : layout_ ? "glibc" : "";
  if (!allocator.is_foreign()) {
    if (!layout_) report_.notes.push_back(layout_.error().what);
    return;
  }
  report_.allocator_note = fmt::format(
      "malloc is served by {}, whose blocks cannot be told apart in memory: they are in what is \"anonymous\"{}; {}",
      allocator.name, question_.ask == HeapAsk::summary ? " below" : "", allocator.what_is_left());
  if (layout_) report_.notes.push_back("only blocks of glibc's malloc, which is used, too, are told here");
}

Result<void> HeapExamination::check_arena() const {
  if (!question_.arena) return {};
  for (size_t i = 0; i < layout_->arenas.size(); ++i)
    if (*question_.arena == i || *question_.arena == layout_->arenas[i].state.address) return {};
  return fail(ErrorKind::not_found,
              fmt::format("there is no arena {:#x}: they are numbered from 0, which is the main one, to {}",
                          *question_.arena, layout_->arenas.size() - 1));
}

void HeapExamination::take_collected() {
  report_.arenas = std::move(collected_->arenas);
  report_.own_blocks = collected_->own_blocks;
  report_.in_use = collected_->in_use;
  report_.matched = collected_->matched;
  report_.untyped = collected_->untyped;
  report_.blocks = std::move(collected_->blocks);
  report_.foreign_bytes = walked_.foreign_bytes;
  report_.skipped_bytes = walked_.skipped_bytes;
  report_.walked_bytes = walked_.walked_bytes;
  take_breaks();
  report_.notes.insert(report_.notes.end(), layout_->notes.begin(), layout_->notes.end());
  if (layout_->missing_mmapped() != 0)
    report_.notes.push_back(fmt::format("{} of {} blocks with mappings of their own are not counted",
                                        layout_->missing_mmapped(), layout_->parameters->mmapped_blocks));
  if (question_.ask == HeapAsk::by_size) take_sizes();
  if (question_.ask == HeapAsk::by_type) take_types();
  if (question_.ask == HeapAsk::block) take_block();
  if (question_.ask == HeapAsk::unreachable) take_leaks();
  keep_first_groups();
}

void HeapExamination::take_breaks() {
  report_.breaks = layout_->breaks;
  if (!layout_->is_moving) {
    auto linked = check_links(*layout_, collected_->links, walked_.skipped_bytes == 0, most_broken_links);
    report_.breaks.insert(report_.breaks.end(), linked.begin(), linked.end());
    if (walked_.skipped_bytes == 0) {
      auto unlisted = find_unlisted(*layout_, collected_->links, report_.breaks);
      report_.breaks.insert(report_.breaks.end(), unlisted.begin(), unlisted.end());
    }
    find_neighbours(*layout_, memory(), report_.breaks);
  }
  report_.breaks.insert(report_.breaks.end(), walked_.breaks.begin(), walked_.breaks.end());
  report_.breaks_left_out = walked_.breaks_left_out;
}

void HeapExamination::take_sizes() {
  auto add = [this](uint64_t size, const CountedExample& counted) {
    if (counted.count.blocks != 0) report_.groups.push_back({size, {}, counted.count, counted.example});
  };
  for (const CountedExample& counted : collected_->small_sizes)
    add(counted.count.blocks == 0 ? 0 : counted.count.bytes / counted.count.blocks, counted);
  for (const auto& [size, counted] : collected_->large_sizes) add(size, counted);
}

void HeapExamination::take_types() {
  std::map<std::string, CountedExample> by_name;
  for (const auto& [hint, counted] : collected_->types) {
    const std::string& name = types_.name_of(hint.table);
    if (name.empty()) {
      report_.untyped.add(counted.count);
      continue;
    }
    CountedExample& group = by_name[hint.is_array ? name + "[]" : name];
    if (group.count.blocks == 0) group.example = counted.example;
    group.count.add(counted.count);
  }
  for (auto& [name, counted] : by_name) report_.groups.push_back({{}, name, counted.count, counted.example});
}

void HeapExamination::keep_first_groups() {
  auto first = [this](const HeapGroup& a, const HeapGroup& b) {
    const auto key = [this](const HeapGroup& group) {
      return question_.most_blocks_first ? std::pair(group.count.blocks, group.count.bytes)
                                         : std::pair(group.count.bytes, group.count.blocks);
    };
    return key(a) != key(b) ? key(a) > key(b) : std::pair(a.size, a.type) < std::pair(b.size, b.type);
  };
  std::ranges::sort(report_.groups, first);
  if (report_.groups.size() <= question_.kept) return;
  report_.groups_left_out = report_.groups.size() - question_.kept;
  report_.groups.resize(question_.kept);
}

void HeapExamination::take_block() {
  HeapBlockReport& block = *report_.block;
  if (!block.place) {
    block.where = where(question_.address);
    return;
  }
  if (!block.place->block) return;
  if (block.place->block->state == HeapBlockState::top) {
    block.where = fmt::format("in the {} bytes from {:#x} on at the end of an arena, which malloc has not given out",
                              block.place->block->chunk_size, block.place->block->chunk());
    block.place->block.reset();
    block.first.clear();
    return;
  }
  const TypeHint hint = TypeHints(target_.modules()).hint_of(block.first, block.place->block->size);
  if (hint.table != 0 && block.place->block->is_in_use()) block.type = types_.name_of(hint.table);
  if (hint.is_array && !block.type.empty()) block.type += "[]";
  collected_->table.finish();
  collected_->free_blocks.finish();
  for (const FoundPointer& pointer : pointers_.pointers)
    if (!is_mallocs_own(pointer, *block.place->block))
      block.pointers.push_back(
          {pointer.at, static_cast<int64_t>(pointer.value - block.place->block->address), where(pointer.at)});
  block.pointers_left_out = pointers_.left_out;
  for (const TargetThread& thread : threads_) take_registers(thread, *block.place->block);
}

// Arenas and free blocks lead to chunks, and the header of the chunk behind a block begins in the block.
bool HeapExamination::is_mallocs_own(const FoundPointer& pointer, const HeapBlock& block) const {
  const bool is_in_arena = std::ranges::any_of(
      layout_->arenas, [&](const HeapArena& arena) { return pointer.at - arena.state.address < arena.state.size; });
  return is_in_arena || (pointer.value == block.chunk() + block.chunk_size &&
                         collected_->free_blocks.holding(pointer.at) != BlockTable::none);
}

void HeapExamination::take_registers(const TargetThread& thread, const HeapBlock& block) {
  if (!block.is_in_use() || thread.known != RegistersKnown::all) return;
  auto take = [&](uint64_t value, std::string_view name) {
    if (value - block.address < std::max<uint64_t>(block.size, 1))
      report_.block->pointers.push_back(
          {0, static_cast<int64_t>(value - block.address), fmt::format("{} of thread {}", name, thread.tid)});
  };
  for (const auto& [name, place] : pointer_registers) take(thread.registers.*place, name);
  for (uint64_t word : thread.wide_registers) take(word, "a vector register");
}

void HeapExamination::take_leaks() {
  collected_->table.finish();
  const HeapRoots roots = find_heap_roots(target_, memory(), *layout_, threads_);
  report_.unreachable =
      find_leaks({target_, memory(), collected_->table, collected_->free_blocks, roots}, types_, question_.kept);
  report_.unreachable->is_of_one_moment = !layout_->is_moving;
  if (copy_ && copy_->bytes_left_out() != 0)
    report_.notes.push_back(
        fmt::format("{} bytes of memory were not copied: pointers in them are not known", copy_->bytes_left_out()));
}

// "a block of 48 bytes at 0x… + 16", "the stack of thread 12", "orders!g_all+0x8", "[anonymous memory]"
std::string HeapExamination::where(uint64_t address) {
  for (const auto& [table, what] :
       {std::pair(&collected_->table, "the block"), {&collected_->free_blocks, "the free block"}}) {
    const uint32_t found = table->holding(address);
    if (found == BlockTable::none) continue;
    const BlockTable::Block& block = (*table)[found];
    return fmt::format("{} of {} bytes at {:#x}", what, block.size, block.address);
  }
  const auto& mappings = target_.mappings();
  auto after = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  if (after == mappings.begin() || address >= std::prev(after)->end) return "nothing is mapped there";
  const TargetMapping& mapping = *std::prev(after);
  for (const TargetThread& thread : threads_)
    if (thread.known != RegistersKnown::none && mapping.start <= thread.registers.rsp &&
        thread.registers.rsp < mapping.end)
      return fmt::format("the stack of thread {}{}", thread.tid,
                         address < thread.registers.rsp ? ", below what is in use" : "");
  std::string words = names_.words(address);
  return words.empty()
             ? fmt::format("memory of no file, {:#x} bytes from {:#x} on", mapping.end - mapping.start, mapping.start)
             : words;
}

// Where nothing is inconsistent yet, a block may be on its way: neither free any more nor given out, or the other way.
uint64_t HeapExamination::places_at_work() const {
  if (!layout_) return 0;
  return static_cast<uint64_t>(std::ranges::count_if(layout_->arenas, &HeapArena::is_busy) +
                               std::ranges::count_if(layout_->caches, &HeapThreadCache::is_busy)) +
         (layout_->is_moving ? 1 : 0);
}

void HeapExamination::count_losses() {
  std::vector<Loss> losses = target_.info().losses;
  uint64_t damaged = report_.breaks_left_out, changed = 0;
  for (const HeapBreak& each : report_.breaks) ++(each.is_under_change ? changed : damaged);
  losses.push_back({LossKind::heap_damaged, damaged, {}, {}});
  losses.push_back({LossKind::heap_changed, std::max(changed, places_at_work()), {}, {}});
  // That it ran meanwhile is a note, too; nothing is missing for that.
  losses.push_back({LossKind::heap_incomplete, report_.notes.size() - (has_run_meanwhile_ ? 1 : 0), {}, {}});
  std::erase_if(losses, [](const Loss& loss) { return loss.count == 0; });
  for (const Loss& loss : losses) {
    report_.losses.push_back({loss.kind, loss.count, {}});
    if (!loss.detail.empty()) report_.losses.back().details.push_back(loss.detail);
  }
  report_.exact = is_exact(report_.losses);
}

}  // namespace

Result<HeapReport> examine_heap(Target& target, const HeapQuestion& question, const SymbolOptions& options) {
  return HeapExamination(target, question, options).run();
}

}  // namespace culprit
