#include "view/report_json.h"
#include "view/value_views.h"

namespace culprit {

namespace {

Json life_json(const ValueLife& life) {
  Json json = handle_json(life.handle);
  json.erase("group");
  json["stack"] = frames_json(life.creating_stack);
  json["blamed"] = blamed_json(life.creating_stack);
  json["closing_stack"] = frames_json(life.closing_stack);
  json["closing_blamed"] = blamed_json(life.closing_stack);
  return json;
}

Json vain_json(const VainClose& close) {
  return {{"time", number_or_null(close.time)},
          {"process", process_json(close.process)},
          {"thread", close.tid},
          {"stack", frames_json(close.stack)},
          {"blamed", blamed_json(close.stack)}};
}

}  // namespace

std::string value_as_json(const ValueHistory& history, const std::string& target) {
  Json answer = answer_json(history.basis, target);
  answer["value"] = history.value;
  answer["handles"] = list_json(history.lives, life_json);
  answer["handles_left_out"] = history.lives_in_all - history.lives.size();
  answer["vain_closes"] = list_json(history.vain_closes, vain_json);
  answer["vain_closes_left_out"] = history.vain_closes_in_all - history.vain_closes.size();
  return json_text(answer);
}

}  // namespace culprit
