#include "view/json.h"
#include "view/lock_views.h"
#include "view/lock_words.h"
#include "view/report_json.h"
#include "view/target_json.h"

namespace culprit {

namespace {

// Words of the interface, in the order of the enumerations.
constexpr std::string_view kind_words[] = {"mutex", "rwlock",       "condition", "semaphore", "barrier",  "thread_end",
                                           "once",  "static_guard", "future",    "stream",    "internal", "word",
                                           "futex", "file",         "pipe",      "socket",    "child"};
static_assert(std::size(kind_words) == lock_kind_count);
constexpr std::string_view type_words[] = {"normal", "recursive", "error_checking", "adaptive"};
constexpr std::string_view state_words[] = {"unlocked", "locked", "owner_died", "inconsistent", "not_recoverable"};
constexpr std::string_view owner_words[] = {"none", "not_recorded", "here", "other_process", "gone"};
constexpr std::string_view verdict_kinds[] = {"deadlock",      "self_deadlock",  "owner_gone",
                                              "will_time_out", "possible_cycle", "waiting_for_one"};
constexpr std::string_view evidence_kinds[] = {"code", "pointer"};
static_assert(std::size(verdict_kinds) == lock_verdict_count);

template <typename Enumeration, size_t count>
std::string_view word_of(const std::string_view (&words)[count], Enumeration value) {
  return words[static_cast<size_t>(value)];
}

Json seconds_json(const std::optional<double>& seconds) { return seconds ? Json(*seconds) : Json(nullptr); }
Json index_json(const std::optional<size_t>& index) { return index ? Json(*index) : Json(nullptr); }

Json thread_json(const LockThread& thread) {
  Json json = {{"tid", thread.tid}, {"name", utf8(thread.name)}};
  if (thread.pid != 0) {
    json["pid"] = thread.pid;
    json["process"] = utf8(thread.process);
  }
  return json;
}

Json taken_json(const TakenPlace& taken) {
  return {{"function", utf8(taken.frame.function)},
          {"file", utf8(taken.frame.file)},
          {"line", taken.frame.line},
          {"module", utf8(taken.frame.module)},
          {"evidence", word_of(evidence_kinds, taken.evidence)}};
}

Json lock_json(const LockInfo& info) {
  const LockState& lock = info.lock;
  return {{"kind", word_of(kind_words, lock.kind)},
          {"name", utf8(info.name)},
          {"module", utf8(info.module)},
          {"address", lock.address},
          {"type", lock.kind == LockKind::mutex ? word_of(type_words, lock.type) : ""},
          {"state", word_of(state_words, lock.state)},
          {"robust", lock.is_robust},
          {"priority_inheritance", lock.inherits_priority},
          {"priority_ceiling", lock.protects_priority},
          {"process_shared", lock.is_process_shared},
          {"owner", info.owner ? thread_json(*info.owner) : Json(nullptr)},
          {"owner_state", word_of(owner_words, info.owner_state)},
          {"owner_note", utf8(info.owner_note)},
          {"taken", info.taken ? taken_json(*info.taken) : Json(nullptr)},
          {"recursion", lock.recursion},
          {"readers", lock.readers},
          {"value", lock.value},
          {"arrived", lock.arrived},
          {"needed", lock.needed},
          {"waits", info.waits}};
}

Json wait_json(const LockReport& report, const LockWait& wait) {
  return {{"thread", thread_json(wait.thread)},
          {"lock", wait.lock},
          {"waits_for", utf8(wait_words(report, wait))},
          {"mode", name_of(wait.mode)},
          {"timed", wait.is_timed},
          {"seconds_left", seconds_json(wait.seconds_left)},
          {"seconds_waited", seconds_json(wait.seconds_waited)},
          {"still", wait.is_still},
          {"where", frames_json(wait.where)}};
}

Json step_json(const LockReport& report, const LockStep& step) {
  Json json = {{"thread", thread_json(step.thread)},
               {"holds", step.holds ? Json(utf8(lock_words(report.locks[*step.holds]))) : Json(nullptr)},
               {"holds_lock", index_json(step.holds)},
               {"waits_for", nullptr},
               {"wait", index_json(step.waits_for)},
               {"doing", utf8(doing_words(report, step))},
               {"where", frames_json(step.where)},
               {"blamed", blamed_json(step.where)}};
  if (step.waits_for) json["waits_for"] = utf8(lock_words(report.locks[report.waits[*step.waits_for].lock]));
  return json;
}

Json steps_json(const LockReport& report, const LockVerdict& verdict) {
  return list_json(verdict.steps, [&](const LockStep& step) { return step_json(report, step); });
}

Json verdict_json(const LockReport& report, const LockVerdict& verdict) {
  return {{"verdict", word_of(verdict_kinds, verdict.kind)},
          {"sentence", utf8(verdict_words(report, verdict))},
          {"steps", steps_json(report, verdict)},
          {"behind", list_json(verdict.behind, thread_json)},
          {"seconds_left", seconds_json(verdict.seconds_left)},
          {"why_possible", utf8(verdict.why_possible)}};
}

}  // namespace

Json locks_json(const LockReport& report) {
  Json cycles = Json::array();
  for (const LockVerdict& verdict : report.verdicts)
    if (verdict.kind != LockVerdictKind::owner_gone && verdict.kind != LockVerdictKind::waiting_for_one)
      cycles.push_back(steps_json(report, verdict));
  Json answer = {{"schema", json_schema},
                 {"target", utf8(report.target)},
                 {"exact", report.exact},
                 {"losses", losses_json(report.losses)},
                 {"live", report.is_live},
                 {"pid", report.pid},
                 {"threads", report.threads},
                 {"seconds_between_looks", report.seconds_between},
                 {"longest_stop", static_cast<double>(report.longest_stop) / 1e9},
                 {"moved", report.moved},
                 {"asked", index_json(report.asked)},
                 {"verdicts", list_json(report.verdicts,
                                        [&](const LockVerdict& verdict) { return verdict_json(report, verdict); })},
                 {"cycles", cycles},
                 {"locks", list_json(report.locks, lock_json)},
                 {"waits", list_json(report.waits, [&](const LockWait& wait) { return wait_json(report, wait); })},
                 {"notes", list_json(report.notes, utf8)}};
  return answer;
}

std::string locks_as_json(const LockReport& report) { return json_text(locks_json(report)); }

}  // namespace culprit
