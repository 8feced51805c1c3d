#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "analysis/inventory_groups.h"
#include "analysis/inventory_report.h"
#include "analysis/trace_words.h"
#include "model/handle_event.h"
#include "target/process_facts.h"
#include "target/same_object.h"

namespace culprit {

namespace {

std::vector<MergedLoss> merged(const std::vector<Loss>& losses) { return merge_losses({TraceTables{}}, losses); }

std::vector<std::pair<std::string, uint64_t>> counted_types(const std::vector<OpenHandle>& handles) {
  std::map<std::string_view, uint64_t> counts;
  for (const OpenHandle& handle : handles) ++counts[handle.type];
  std::vector<std::pair<std::string, uint64_t>> types(counts.begin(), counts.end());
  std::ranges::stable_sort(types, [](const auto& a, const auto& b) { return a.second > b.second; });
  return types;
}

// Two handles may be open on one file, which is held once.
void count_deleted(const std::vector<OpenHandle>& handles, InventoryReport& report) {
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (const OpenHandle& handle : handles) {
    if (!handle.is_deleted || !seen.emplace(handle.device, handle.inode).second) continue;
    ++report.deleted;
    report.deleted_bytes += handle.allocated;
  }
}

bool is_asked_for(const OpenHandle& handle, const InventoryOptions& options) {
  if (options.value && handle.value != *options.value) return false;
  // "perf_event" is typed without quotes.
  auto equal = [&](std::string_view asked) {
    return std::ranges::equal(asked, handle.type, [](char a, char b) { return a == b || (a == '_' && b == ' '); });
  };
  return options.types.empty() || std::ranges::any_of(options.types, equal);
}

std::vector<size_t> chosen_of(const std::vector<OpenHandle>& handles, const InventoryOptions& options) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < handles.size(); ++i)
    if (is_asked_for(handles[i], options)) chosen.push_back(i);
  return chosen;
}

WatchedHandle::State state_of(const EpollWatch& watch, const std::vector<OpenHandle>& handles) {
  auto found = std::ranges::lower_bound(handles, watch.value, {}, &OpenHandle::value);
  if (found == handles.end() || found->value != watch.value) return WatchedHandle::State::closed;
  // What is made without a file system has one inode for all: that proves nothing.
  const bool is_comparable = found->inode != 0 && watch.inode != 0;
  return is_comparable && found->inode != watch.inode ? WatchedHandle::State::other : WatchedHandle::State::open;
}

bool is_same_lock(const FileLock& a, const FileLock& b) {
  FileLock numbered = b;
  numbered.id = a.id;
  return a == numbered;
}

HeldLock held_lock(const FileLock& lock, const std::vector<FileLock>& of_machine) {
  HeldLock held{lock, {}};
  auto same = std::ranges::find_if(of_machine, [&](const FileLock& other) { return is_same_lock(lock, other); });
  if (same == of_machine.end()) return held;
  for (const FileLock& other : of_machine) {
    if (other.id != same->id || !other.is_waiting) continue;
    const auto pid = other.pid > 0 ? static_cast<uint32_t>(other.pid) : 0;
    held.waiting.push_back({.pid = pid, .process = pid != 0 ? process_name(pid) : ""});
  }
  return held;
}

// Pipes and fifos: by what each is open for. Sockets: whoever has the peer.
void add_holders(const HandleInventory& inventory, InventoryHandle& handle) {
  const bool is_pipe = handle.handle.type == handle_type::pipe || handle.handle.type == handle_type::fifo;
  handle.has_other_end = is_pipe || handle.handle.peer_inode != 0;
  if (!handle.has_other_end) return;
  const HolderSearch::Found* found =
      inventory.holders.find(is_pipe ? handle.handle.link : fmt::format("socket:[{}]", handle.handle.peer_inode));
  if (found == nullptr) return;
  handle.holders_left_out = found->in_all - found->holders.size();
  if (!is_pipe) {
    handle.other_end = found->holders;
    return;
  }
  auto is_itself = [&](const HandleHolder& holder) {
    return holder.pid == inventory.pid && holder.value == handle.handle.value;
  };
  auto self = std::ranges::find_if(found->holders, is_itself);
  const bool reads = self != found->holders.end() && self->reads, writes = self != found->holders.end() && self->writes;
  for (const HandleHolder& holder : found->holders) {
    if (is_itself(holder)) continue;
    if ((reads && holder.writes) || (writes && holder.reads)) handle.other_end.push_back(holder);
    if ((reads && holder.reads) || (writes && holder.writes)) handle.same_end.push_back(holder);
  }
}

InventoryHandle described(const HandleInventory& inventory, size_t index, bool holders) {
  InventoryHandle handle{.handle = inventory.handles[index]};
  handle.were_holders_sought = holders;
  if (holders) add_holders(inventory, handle);
  if (!handle.handle.info) return handle;
  for (const EpollWatch& watch : handle.handle.info->epoll_watches)
    handle.watches.push_back({watch, state_of(watch, inventory.handles)});
  for (const FileLock& lock : handle.handle.info->locks) handle.locks.push_back(held_lock(lock, inventory.locks));
  return handle;
}

void find_duplicates(const HandleInventory& inventory, InventoryHandle& handle) {
  std::vector<int64_t> candidates;
  for (const OpenHandle& other : inventory.handles)
    if (other.link == handle.handle.link && other.value != handle.handle.value) candidates.push_back(other.value);
  auto duplicates = same_objects(inventory.pid, handle.handle.value, candidates);
  handle.were_duplicates_sought = duplicates.has_value();
  if (duplicates) handle.duplicates = std::move(*duplicates);
}

std::string not_open(const HandleInventory& inventory, int64_t value) {
  return fmt::format("process {} has no handle {}: it has {}, the highest is {}", inventory.pid, value,
                     inventory.handles.size(), inventory.handles.empty() ? -1 : inventory.handles.back().value);
}

// Which handles are described one by one.
std::vector<size_t> listed(InventoryReport& report, const GroupedHandles& grouped, const std::vector<size_t>& chosen,
                           const InventoryOptions& options) {
  if (options.counts_only) return {};
  std::vector<size_t> wanted = options.each || options.value ? chosen : grouped.alone;
  if (options.top != 0 && wanted.size() > options.top) {
    report.handles_left_out = wanted.size() - options.top;
    wanted.resize(options.top);
  }
  // An example tells what the names of a group do not: the flags, the other end.
  if (!options.each) wanted.insert(wanted.end(), grouped.examples.begin(), grouped.examples.end());
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

}  // namespace

Result<InventoryReport> build_inventory_report(uint32_t pid, const InventoryOptions& options) {
  auto inventory = read_handle_inventory(pid);
  if (!inventory) return tl::unexpected<Error>(std::move(inventory).error());
  const std::vector<size_t> chosen = chosen_of(inventory->handles, options);
  if (options.value && chosen.empty()) return fail(ErrorKind::not_found, not_open(*inventory, *options.value));
  InventoryReport report;
  report.pid = pid;
  report.process = inventory->process;
  report.command = inventory->command;
  report.limit = inventory->limit;
  report.open = inventory->handles.size();
  report.highest = inventory->handles.empty() ? -1 : inventory->handles.back().value;
  report.types = counted_types(inventory->handles);
  report.chosen = chosen.size();
  report.other_mounts = inventory->other_mounts;
  report.other_network = inventory->other_network;
  count_deleted(inventory->handles, report);

  constexpr size_t readable = 100;
  GroupedHandles grouped = group_handles(inventory->handles, chosen, readable);
  const std::vector<size_t> wanted = listed(report, grouped, chosen, options);
  report.groups = std::move(grouped.groups);
  DetailWish wish;
  if (options.each || options.value) wish.most_links = 0;
  read_handle_details(*inventory, wanted, wish);
  for (size_t index : wanted) report.handles.push_back(described(*inventory, index, wish.holders));
  if (options.value) find_duplicates(*inventory, report.handles.front());
  report.losses = merged(inventory->losses);
  report.exact = is_exact(report.losses);
  return report;
}

MappedFiles mapped_files_of(Target& target) {
  std::map<std::string_view, MappedFile> files;
  for (const TargetMapping& mapping : target.mappings()) {
    if (!mapping.path.starts_with('/')) continue;
    MappedFile& file = files[mapping.path];
    file.path = mapping.path;
    file.bytes += mapping.end - mapping.start;
    ++file.mappings;
    file.is_shared |= mapping.is_shared;
    file.is_writable |= mapping.is_writable;
    file.is_deleted |= mapping.is_deleted;
  }
  MappedFiles mapped;
  mapped.process = target.info().name;
  mapped.pid = target.info().pid;
  for (auto& [path, file] : files) mapped.files.push_back(std::move(file));
  mapped.losses = merged(target.info().losses);
  mapped.exact = is_exact(mapped.losses);
  return mapped;
}

}  // namespace culprit
