#include "view/block_history_views.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json life_json(const BlockLife& life) {
  const bool is_released = life.end == BlockEnd::released;
  return {{"address", life.address},
          {"size", life.size},
          {"process", process_json(life.process)},
          {"function", life.function},
          {"thread", life.tid},
          {"made", number_or_null(life.made)},
          {"end", word(name_of(life.end))},
          {"ended", number_or_null(life.ended)},
          {"released_by", life.released_by},
          {"releasing_thread", is_released ? Json(life.released_tid) : Json()},
          {"unreachable", life.unreachable},
          {"blamed", blamed_json(life.stack)},
          {"stack_truncated", life.stack.truncated},
          {"stack", frames_json(life.stack)}};
}

}  // namespace

std::string as_json(const BlockHistory& history, const std::string& target) {
  return json_text({{"schema", json_schema},
                    {"target", utf8(target)},
                    {"exact", history.exact},
                    {"losses", losses_json(history.losses)},
                    {"address", history.address},
                    {"blocks", list_json(history.lives, life_json)},
                    {"blocks_left_out", history.lives_in_all - history.lives.size()}});
}

}  // namespace culprit
