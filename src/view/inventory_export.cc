#include <fmt/format.h>

#include "model/handle_event.h"
#include "view/csv.h"
#include "view/inventory_views.h"
#include "view/inventory_words.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json words_json(const std::vector<std::string_view>& words) {
  Json list = Json::array();
  for (std::string_view each : words) list.push_back(word(each));
  return list;
}

Json holder_json(const HandleHolder& holder) {
  return {{"name", utf8(holder.process)},
          {"pid", holder.pid},
          {"value", holder.value},
          {"reads", holder.reads},
          {"writes", holder.writes}};
}

Json waiter_json(const HandleHolder& waiter) {
  return {{"name", utf8(waiter.process)}, {"pid", waiter.pid == 0 ? Json(nullptr) : Json(waiter.pid)}};
}

Json socket_json(const OpenHandle& handle) {
  if (!handle.socket && handle.protocol.empty()) return nullptr;
  Json json = {{"table", handle.socket ? std::string(handle.socket->table) : ""}, {"protocol", utf8(handle.protocol)}};
  if (!handle.socket) return json;
  const SocketRow& row = *handle.socket;
  json["kind"] = row.kind;
  json["local"] = utf8(row.local);
  json["remote"] = utf8(row.remote);
  json["state"] = row.state;
  json["receive_queue"] = handle.unix_socket ? handle.unix_socket->receive_queue : row.receive_queue;
  json["send_queue"] = handle.unix_socket ? handle.unix_socket->send_queue : row.send_queue;
  return json;
}

Json watch_json(const WatchedHandle& watched) {
  constexpr std::string_view states[] = {"open", "closed", "other"};
  return {{"value", watched.watch.value},
          {"events", words_json(epoll_words(watched.watch.events))},
          {"data", watched.watch.data},
          {"inode", watched.watch.inode},
          {"state", states[static_cast<size_t>(watched.state)]}};
}

Json inotify_json(const InotifyWatch& watch) {
  return {{"number", watch.number}, {"inode", watch.inode}, {"events", words_json(inotify_words(watch.mask))}};
}

Json lock_json(const HeldLock& held) {
  return {{"kind", utf8(held.lock.kind)},
          {"access", utf8(held.lock.access)},
          {"start", held.lock.start},
          {"end", held.lock.end == FileLock::end_of_file ? Json(nullptr) : Json(held.lock.end)},
          {"waiting", list_json(held.waiting, waiter_json)}};
}

Json timer_json(const TimerSetting& timer) {
  return {{"clock", word(clock_word(timer.clock))},
          {"remaining", static_cast<double>(timer.remaining) / 1e9},
          {"interval", static_cast<double>(timer.interval) / 1e9},
          {"expirations", timer.expirations}};
}

// What only some types have.
void add_object(Json& json, const InventoryHandle& described) {
  const FdInfo& info = *described.handle.info;
  if (info.eventfd_count) json["eventfd"] = {{"count", *info.eventfd_count}, {"semaphore", info.eventfd_is_semaphore}};
  if (info.timer) json["timer"] = timer_json(*info.timer);
  if (info.signalfd_mask) json["signals"] = signal_words(*info.signalfd_mask);
  if (info.pidfd_pid)
    json["process"] = {{"pid", *info.pidfd_pid},
                       {"name", utf8(described.handle.process)},
                       {"state", std::string(1, described.handle.process_state)}};
  if (info.terminal_index) json["terminal"] = *info.terminal_index;
  if (described.handle.type == handle_type::epoll) json["watches"] = list_json(described.watches, watch_json);
  if (described.handle.type == handle_type::inotify) json["watches"] = list_json(info.inotify_watches, inotify_json);
  if (!info.lines.empty())
    for (const FdInfoLine& line : info.lines) json["kernel"][utf8(line.key)] = utf8(line.value);
}

Json open_handle_json(const InventoryHandle& described) {
  const OpenHandle& handle = described.handle;
  Json json = {{"value", handle.value},         {"type", handle.type},
               {"name", utf8(handle.name)},     {"link", utf8(handle.link)},
               {"inode", handle.inode},         {"size", handle.size},
               {"allocated", handle.allocated}, {"deleted", handle.is_deleted},
               {"socket", socket_json(handle)}, {"details", handle.info.has_value()}};
  if (!handle.info) return json;
  json["flags"] = words_json(flag_words(handle));
  json["position"] = handle.info->position;
  json["other_end"] = described.has_other_end ? list_json(described.other_end, holder_json) : Json(nullptr);
  json["this_end"] = list_json(described.same_end, holder_json);
  json["holders_left_out"] = described.holders_left_out;
  json["locks"] = list_json(described.locks, lock_json);
  json["duplicates"] = described.were_duplicates_sought ? Json(described.duplicates) : Json(nullptr);
  add_object(json, described);
  return json;
}

Json group_json(const InventoryGroup& group) {
  Json values = Json::array();
  for (const auto& [first, last] : group.values) values.push_back({first, last});
  return {{"count", group.count},         {"type", group.type}, {"name", utf8(group.name)},
          {"allocated", group.allocated}, {"values", values},   {"example", group.example}};
}

Json limit_json(uint64_t limit) { return limit == unlimited || limit == 0 ? Json(nullptr) : Json(limit); }

Json base_json(const std::string& target, bool exact, const std::vector<MergedLoss>& losses) {
  return {{"schema", json_schema}, {"target", utf8(target)}, {"exact", exact}, {"losses", losses_json(losses)}};
}

Json mapped_json(const MappedFile& file) {
  return {{"path", utf8(file.path)},  {"bytes", file.bytes},          {"mappings", file.mappings},
          {"shared", file.is_shared}, {"writable", file.is_writable}, {"deleted", file.is_deleted}};
}

}  // namespace

std::string inventory_as_json(const InventoryReport& report, const std::string& target) {
  Json answer = base_json(target, report.exact, report.losses);
  answer["process"] = {{"name", utf8(report.process)}, {"pid", report.pid}, {"command", utf8(report.command)}};
  answer["open"] = report.open;
  answer["highest"] = report.highest;
  answer["limit"] = {{"soft", limit_json(report.limit.soft)}, {"hard", limit_json(report.limit.hard)}};
  answer["types"] = Json::array();
  for (const auto& [type, count] : report.types) answer["types"].push_back({{"type", type}, {"count", count}});
  answer["deleted"] = {{"files", report.deleted}, {"bytes", report.deleted_bytes}};
  answer["other_namespaces"] = {{"mount", report.other_mounts}, {"network", report.other_network}};
  answer["chosen"] = report.chosen;
  answer["groups"] = list_json(report.groups, group_json);
  answer["handles"] = list_json(report.handles, open_handle_json);
  answer["handles_left_out"] = report.handles_left_out;
  return json_text(answer);
}

std::string inventory_as_csv(const InventoryReport& report) {
  std::string text = "value,type,name,flags,position,size,allocated,deleted,details\n";
  for (const InventoryHandle& described : report.handles) {
    const OpenHandle& handle = described.handle;
    CsvRow row;
    row.number(static_cast<uint64_t>(handle.value)).text(handle.type).text(handle.name);
    row.text(joined(flag_words(handle), "; "));
    if (handle.info) {
      row.number(handle.info->position);
    } else {
      row.empty();
    }
    row.number(handle.size).number(handle.allocated).text(handle.is_deleted ? "yes" : "no");
    row.text(fmt::to_string(fmt::join(detail_phrases(described, report.pid), "; ")));
    text += std::move(row).line();
  }
  return text;
}

std::string type_counts_as_csv(const InventoryReport& report) {
  std::string text = "type,count\n";
  for (const auto& [type, count] : report.types) {
    CsvRow row;
    row.text(type).number(count);
    text += std::move(row).line();
  }
  return text;
}

std::string mapped_files_as_json(const MappedFiles& files, const std::string& target) {
  Json answer = base_json(target, files.exact, files.losses);
  answer["process"] = {{"name", utf8(files.process)}, {"pid", files.pid}};
  answer["handles"] = nullptr;
  answer["mapped_files"] = list_json(files.files, mapped_json);
  return json_text(answer);
}

std::string mapped_files_as_csv(const MappedFiles& files) {
  std::string text = "path,bytes,mappings,shared,writable,deleted\n";
  auto word_of = [](bool yes) { return yes ? "yes" : "no"; };
  for (const MappedFile& file : files.files) {
    CsvRow row;
    row.text(file.path).number(file.bytes).number(file.mappings);
    row.text(word_of(file.is_shared)).text(word_of(file.is_writable)).text(word_of(file.is_deleted));
    text += std::move(row).line();
  }
  return text;
}

}  // namespace culprit
