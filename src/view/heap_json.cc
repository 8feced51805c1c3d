#include <fmt/format.h>

#include "view/heap_views.h"
#include "view/json.h"
#include "view/report_json.h"

namespace culprit {

namespace {

// Words of the interface, in the order of the enumerations.
constexpr std::string_view state_words[] = {"in_use", "cached", "fast", "free", "top"};
static_assert(std::size(state_words) == heap_block_state_count);
constexpr std::string_view memory_words[] = {"arenas", "own_blocks", "anonymous", "stacks",
                                             "code",   "files",      "shared",    "other"};
static_assert(std::size(memory_words) == memory_kind_count);

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json count_json(const HeapCount& count) { return {{"count", count.blocks}, {"bytes", count.bytes}}; }

Json arena_json(const HeapArenaReport& arena) {
  return {{"address", arena.address},
          {"main", arena.is_main},
          {"busy", arena.is_busy},
          {"pieces", arena.pieces},
          {"threads", arena.threads},
          {"reserved", arena.reserved},
          {"committed", arena.committed},
          {"in_use", count_json(arena.in_use)},
          {"free", count_json(arena.free)},
          {"largest_free", arena.largest_free},
          {"cached", count_json(arena.cached)},
          {"fast", count_json(arena.fast)},
          {"top", arena.top}};
}

Json block_json(const HeapReport& report, const HeapBlock& block) {
  return {
      {"address", block.address},
      {"size", block.size},
      {"chunk_size", block.chunk_size},
      {"state", state_words[static_cast<size_t>(block.state)]},
      {"own_mapping", block.is_mmapped},
      {"arena", block.is_mmapped || block.arena >= report.arenas.size() ? Json(nullptr)
                                                                        : Json(report.arenas[block.arena].address)}};
}

Json block_or_null(const HeapReport& report, const std::optional<HeapBlock>& block) {
  return block ? block_json(report, *block) : Json(nullptr);
}

Json break_json(const HeapReport& report, const HeapBreak& each) {
  return {{"what", utf8(each.what)},
          {"under_change", each.is_under_change},
          {"chunk", each.chunk},
          {"arena", each.arena < report.arenas.size() ? Json(report.arenas[each.arena].address) : Json(nullptr)},
          {"skipped", each.skipped},
          {"before", block_or_null(report, each.before)},
          {"after", block_or_null(report, each.after)}};
}

Json group_json(const HeapGroup& group) {
  Json json = count_json(group.count);
  if (group.size)
    json["size"] = *group.size;
  else
    json["type"] = utf8(group.type);
  json["example"] = group.example;
  return json;
}

Json stale_json(const std::optional<StalePointer>& stale) {
  if (!stale) return nullptr;
  return {{"at", stale->at},
          {"freed_block", stale->freed == 0 ? Json(nullptr) : Json(stale->freed)},
          {"thread", stale->tid == 0 ? Json(nullptr) : Json(stale->tid)}};
}

Json leak_json(const LeakGroup& leak) {
  Json json = group_json(leak.group);
  json["direct"] = leak.is_direct;
  json["behind"] = count_json(leak.behind);
  json["stale_pointer"] = stale_json(leak.stale);
  return json;
}

Json memory_json(const MemoryReport& memory) {
  return {{"uses", list_json(memory.uses,
                             [](const MemoryUse& use) {
                               return Json{{"kind", memory_words[static_cast<size_t>(use.kind)]},
                                           {"mappings", use.mappings},
                                           {"bytes", use.bytes},
                                           {"resident", or_null(use.resident)}};
                             })},
          {"anonymous", list_json(memory.anonymous, [](const AnonymousMapping& mapping) {
             return Json{{"address", mapping.start}, {"bytes", mapping.bytes}, {"resident", or_null(mapping.resident)}};
           })}};
}

Json asked_block_json(const HeapReport& report) {
  const HeapBlockReport& block = *report.block;
  Json json = {{"address", report.question.address},
               {"block", block.place ? block_or_null(report, block.place->block) : Json(nullptr)},
               {"offset", block.place && block.place->block ? Json(block.place->offset) : Json(nullptr)},
               {"before", block.place ? block_or_null(report, block.place->before) : Json(nullptr)},
               {"after", block.place ? block_or_null(report, block.place->after) : Json(nullptr)},
               {"type", utf8(block.type)},
               {"where", utf8(block.where)},
               {"pointers_left_out", block.pointers_left_out}};
  json["pointers"] = list_json(block.pointers, [](const PointerToBlock& pointer) {
    return Json{{"at", pointer.at == 0 ? Json(nullptr) : Json(pointer.at)},
                {"offset", pointer.offset},
                {"where", utf8(pointer.where)}};
  });
  return json;
}

void add_asked(const HeapReport& report, Json& json) {
  switch (report.question.ask) {
    case HeapAsk::summary:
      json["memory"] = report.memory ? memory_json(*report.memory) : Json(nullptr);
      break;
    case HeapAsk::by_type:
      json["untyped"] = count_json(report.untyped);
      [[fallthrough]];
    case HeapAsk::by_size:
      json["matched"] = count_json(report.matched);
      json["groups"] = list_json(report.groups, group_json);
      json["groups_hidden"] = report.groups_left_out;
      break;
    case HeapAsk::list:
      json["matched"] = count_json(report.matched);
      json["blocks"] = list_json(report.blocks, [&](const HeapBlock& block) { return block_json(report, block); });
      break;
    case HeapAsk::block:
      json["block"] = asked_block_json(report);
      break;
    case HeapAsk::unreachable:
      json["direct"] = count_json(report.unreachable->direct);
      json["indirect"] = count_json(report.unreachable->indirect);
      json["reachable"] = count_json(report.unreachable->reachable);
      json["of_one_moment"] = report.unreachable->is_of_one_moment;
      json["seconds"] = report.unreachable->seconds;
      json["groups"] = list_json(report.unreachable->groups, leak_json);
      json["groups_hidden"] = report.unreachable->groups_left_out;
      break;
  }
}

}  // namespace

std::string heap_as_json(const HeapReport& report) {
  Json json = {{"schema", json_schema},
               {"target", utf8(report.target)},
               {"exact", report.exact},
               {"losses", losses_json(report.losses)},
               {"live", report.is_live},
               {"pid", report.pid},
               {"allocator", report.allocator.empty() ? Json(nullptr) : Json(utf8(report.allocator))},
               {"allocator_note", utf8(report.allocator_note)},
               {"stopped_for", static_cast<double>(report.stopped_for) / 1e9},
               {"read", report.walked_bytes},
               {"notes", list_json(report.notes, [](const std::string& note) { return Json(utf8(note)); })},
               {"in_use", count_json(report.in_use)},
               {"own_blocks", count_json(report.own_blocks)},
               {"foreign", report.foreign_bytes},
               {"skipped", report.skipped_bytes},
               {"arenas", list_json(report.arenas, arena_json)},
               {"damage", list_json(report.breaks, [&](const HeapBreak& each) { return break_json(report, each); })},
               {"damage_hidden", report.breaks_left_out}};
  add_asked(report, json);
  return json_text(json);
}

}  // namespace culprit
