#include "view/missing_modules_json.h"
#include "view/report_json.h"
#include "view/target_json.h"
#include "view/thread_views.h"

namespace culprit {
namespace {

Json thread_json(const ReportThread& thread) {
  return {{"tid", thread.tid},
          {"name", utf8(thread.name)},
          {"state", utf8(std::string_view(&thread.state, 1))},
          {"wait", utf8(thread.wait)},
          {"stopped_for", thread.stopped_for},
          {"unknown_because", utf8(thread.unknown_because)}};
}

Json group_json(const ThreadReport& report, const ThreadGroup& group) {
  Json threads = Json::array();
  for (size_t index : group.threads) threads.push_back(report.threads[index].tid);
  Json frames = frames_json(group.stack);
  // Inlined functions have no address of their own: they have that of the frame they are part of.
  size_t address = 0;
  for (size_t i = 0; i < frames.size() && address < group.addresses.size(); ++i) {
    frames[i]["address"] = group.addresses[address];
    if (!group.stack.frames[i].inlined) ++address;
  }
  return {{"count", group.threads.size()}, {"threads", std::move(threads)},      {"wait", utf8(group.wait)},
          {"stack", std::move(frames)},    {"truncated", group.stack.truncated}, {"blamed", blamed_json(group.stack)},
          {"found", Json(group.found)}};
}

}  // namespace

Json threads_json(const ThreadReport& report) {
  Json json = {{"schema", json_schema},
               {"target", utf8(report.target)},
               {"kind", report.kind == TargetKind::core ? "core" : "live"},
               {"exact", report.exact},
               {"losses", losses_json(report.losses)},
               {"pid", report.pid},
               {"executable", utf8(report.executable)},
               {"command", utf8(report.command)},
               {"death", report.death},
               {"threads_in_all", report.all_threads},
               {"stopped", report.stopped},
               {"longest_stop", report.longest_stop},
               {"missing_modules", missing_modules_json(report.missing)},
               {"threads", list_json(report.threads, thread_json)}};
  json["groups"] = Json::array();
  for (const ThreadGroup& group : report.groups) json["groups"].push_back(group_json(report, group));
  return json;
}

std::string threads_as_json(const ThreadReport& report) { return json_text(threads_json(report)); }

}  // namespace culprit
