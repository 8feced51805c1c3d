#include "analysis/inventory_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "model/handle_event.h"

namespace culprit {

namespace {

constexpr uint64_t many = 10;
constexpr size_t ranges_kept = 20;

// What members have in common, as a name and as a key.
using KeyOf = std::string (*)(const OpenHandle&);

bool is_connection(const OpenHandle& handle) { return handle.socket && !handle.socket->remote.empty(); }

std::string connection_name(const SocketRow& row, std::string_view local, std::string_view remote) {
  return fmt::format("{} {} -> {}{}{}", row.table, local, remote, row.state.empty() ? "" : " ", row.state);
}

std::string by_remote_address(const OpenHandle& handle) {
  return is_connection(handle) ? connection_name(*handle.socket, "*", handle.socket->remote) : "";
}

std::string by_local_address(const OpenHandle& handle) {
  return is_connection(handle) ? connection_name(*handle.socket, handle.socket->local, "*") : "";
}

std::string by_name(const OpenHandle& handle) { return is_connection(handle) ? "" : handle.name; }

std::string by_folder(const OpenHandle& handle) {
  const size_t end = handle.name.rfind('/');
  return handle.name.starts_with('/') && end != 0 ? handle.name.substr(0, end) + "/*" : "";
}

// Sockets in no table have a type but no name; so have pipes, events …
std::string by_type(const OpenHandle& handle) { return handle.name.empty() ? " " : ""; }

struct Way {
  KeyOf key_of;
  bool only_where_many;
};
constexpr Way ways[] = {
    {by_name, false}, {by_remote_address, false}, {by_local_address, false}, {by_folder, true}, {by_type, true}};

void add(InventoryGroup& group, const OpenHandle& handle) {
  if (group.count++ == 0) group.example = handle.value;
  if (handle.is_deleted) group.allocated += handle.allocated;
  if (!group.values.empty() && group.values.back().second + 1 == handle.value) {
    group.values.back().second = handle.value;
  } else if (group.values.size() < ranges_kept) {
    group.values.emplace_back(handle.value, handle.value);
  }
}

// Takes out of `rest` those that one way makes a group of.
void group_one_way(const std::vector<OpenHandle>& handles, KeyOf key_of, std::vector<size_t>& rest,
                   std::vector<std::pair<InventoryGroup, size_t>>& groups) {
  if (rest.size() < many) return;
  std::vector<std::string> keys(rest.size());
  std::unordered_map<std::string, uint64_t> counts;
  for (size_t i = 0; i < rest.size(); ++i) {
    const OpenHandle& handle = handles[rest[i]];
    std::string key = key_of(handle);
    if (key.empty()) continue;
    keys[i].append(handle.type).append(handle.is_deleted ? " (deleted) " : " ").append(key);
    ++counts[keys[i]];
  }
  std::unordered_map<std::string, size_t> places;
  std::vector<size_t> others;
  for (size_t i = 0; i < rest.size(); ++i) {
    const OpenHandle& handle = handles[rest[i]];
    if (keys[i].empty() || counts[keys[i]] < many) {
      others.push_back(rest[i]);
      continue;
    }
    auto [place, is_new] = places.try_emplace(keys[i], groups.size());
    if (is_new) {
      std::string name = key_of(handle);
      if (name == " ") name.clear();
      groups.push_back({{.type = std::string(handle.type), .name = std::move(name), .values = {}}, rest[i]});
      if (handle.is_deleted) groups.back().first.name += " (deleted)";
    }
    add(groups[place->second].first, handle);
  }
  rest = std::move(others);
}

}  // namespace

GroupedHandles group_handles(const std::vector<OpenHandle>& handles, std::span<const size_t> chosen, size_t readable) {
  std::vector<std::pair<InventoryGroup, size_t>> groups;
  GroupedHandles grouped;
  grouped.alone.assign(chosen.begin(), chosen.end());
  for (const Way& way : ways)
    if (!way.only_where_many || chosen.size() > readable) group_one_way(handles, way.key_of, grouped.alone, groups);
  std::ranges::stable_sort(groups, [](const auto& a, const auto& b) { return a.first.count > b.first.count; });
  for (auto& [group, example] : groups) {
    grouped.groups.push_back(std::move(group));
    grouped.examples.push_back(example);
  }
  return grouped;
}

}  // namespace culprit
