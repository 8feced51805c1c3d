#include "capture/process_images.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {
namespace {

constexpr Time first_tables_budget = 15'000'000;
constexpr uint64_t first_tables_file_limit = uint64_t{24}
                                             << 20;  // larger ones take too long while the program waits to start
constexpr size_t maps_limit = size_t{16} << 20;

Result<std::string> maps_of(uint32_t pid) { return read_whole_file(fmt::format("/proc/{}/maps", pid), maps_limit); }

uint32_t parent_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/stat", pid), 4096);
  auto stat = text ? parse_stat(*text) : std::nullopt;
  return stat ? stat->parent : 0;
}

culprit_range range_of(const MappedCode& code, SharedTables& tables) {
  culprit_range range = code.file != nullptr ? tables.of(*code.file).table : culprit_range{};
  range.start = code.start;
  range.end = code.end;
  range.bias = code.bias;
  return range;
}

// Ranges that are left out are asked for by the agent when an address in them turns up.
bool is_settled(const MappedCode& code, SharedTables& tables) {
  return code.file == nullptr || tables.of(*code.file).unwind != TableState::not_built;
}

}  // namespace

WatchedProcess* ProcessImages::introduce(uint32_t pid, uint32_t parent_pid, uint32_t flags, uint64_t begin_tsc) {
  WatchedProcess* known = book_.find(pid);
  bool was_forked = (flags & CULPRIT_PROCESS_FORKED) != 0;
  // A forked process that already has an image is another life of the pid.
  if (known != nullptr && !(was_forked && known->record >= 0)) return known;
  WatchedProcess* parent = book_.find_or_ended(was_forked ? parent_pid : parent_of(pid));
  if (parent == nullptr && !book_.all().empty()) parent = &book_.all().front();
  return &book_.appeared(pid, parent, clock_.time_of(begin_tsc), 0, StackId::none);
}

WatchedProcess* ProcessImages::owner_of(uint32_t index, uint32_t pid) {
  if (index >= CULPRIT_PROCESS_COUNT || pid == 0) return nullptr;
  const culprit_process& record = memory_.process(index);
  if (load_shared(record.state) != CULPRIT_PROCESS_LIVE || load_shared(record.pid) != pid) return nullptr;
  WatchedProcess* known = book_.find(pid);
  if (known != nullptr && known->record == static_cast<int>(index)) return known;
  return introduce(pid, load_shared(record.parent_pid), load_shared(record.flags), load_shared(record.begin_tsc));
}

void ProcessImages::adopt(WatchedProcess& process, uint32_t index) {
  process.record = static_cast<int>(index);
  process.exit_snapshot = false;
  process.exit_status.reset();
  bool was_forked = (load_shared(memory_.process(index).flags) & CULPRIT_PROCESS_FORKED) != 0;
  if (!was_forked) return;  // says hello
  if (process.code.empty()) read_mappings(process, table_generation(process));
  publish(process, false);
}

uint32_t ProcessImages::table_generation(const WatchedProcess& process) const {
  if (process.record < 0) return process.code.generation();
  return load_shared(memory_.process(static_cast<uint32_t>(process.record)).table_generation);
}

bool ProcessImages::read_mappings(WatchedProcess& process, uint32_t generation) {
  process.maps_read = monotonic_now();
  if (process.ended) return false;
  auto text = maps_of(process.pid);
  if (!text || text->empty()) return false;
  process.code.read(process.pid, *text, generation, files_);
  return true;
}

bool ProcessImages::is_genuine(const WatchedProcess& process) const { return maps_session(process.pid, memory_); }

void ProcessImages::build_first_tables(WatchedProcess& process) {
  std::vector<ModuleFile*> wanted;
  for (const MappedCode& code : process.code.newest()) {
    bool is_wanted = !is_settled(code, shared_tables_);
    if (is_wanted && code.file->size <= first_tables_file_limit) wanted.push_back(code.file);
  }
  const std::string& name = tables_.process(process.id).name;
  auto rank = [&](const ModuleFile* file) {
    bool is_program = !name.empty() && file->path.ends_with("/" + name);
    int first = file->is_patchable() || is_program ? 0 : file->path.find("libstdc++") != std::string::npos ? 1 : 2;
    return std::pair(first, file->size);
  };
  std::sort(wanted.begin(), wanted.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
  Time begin = monotonic_now();
  for (ModuleFile* file : wanted) {
    if (monotonic_now() - begin > first_tables_budget) break;
    shared_tables_.build_unwind(*file);
  }
}

void ProcessImages::build_table_at(WatchedProcess& process, uint64_t pc) {
  const MappedCode* code = process.code.find(pc, process.code.generation());
  if (code != nullptr && code->file != nullptr) shared_tables_.build_unwind(*code->file);
}

void ProcessImages::publish(WatchedProcess& process, bool with_patches) {
  if (process.record < 0) return;
  culprit_process& record = memory_.process(static_cast<uint32_t>(process.record));
  uint32_t sequence = load_shared(record.ranges_sequence) | 1;
  __atomic_store_n(&record.ranges_sequence, sequence, __ATOMIC_SEQ_CST);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  uint32_t ranges = 0, patches = 0;
  for (const MappedCode& code : process.code.newest()) {
    if (is_settled(code, shared_tables_) && ranges < CULPRIT_RANGE_COUNT) {
      record.ranges[ranges++] = range_of(code, shared_tables_);
    }
    if (!with_patches || code.file == nullptr || !code.file->is_patchable()) continue;
    shared_tables_.build_sites(*code.file);
    const SharedModule& module = shared_tables_.of(*code.file);
    if (module.sites != TableState::built || patches >= CULPRIT_PATCH_LISTS) continue;
    culprit_patch_list list = module.patches;
    list.bias = code.bias;
    list.text_start = code.start;
    list.text_end = code.end;
    record.patches[patches++] = list;
  }
  record.range_count = ranges;
  if (with_patches) record.patch_list_count = patches;
  store_shared(record.ranges_sequence, sequence + 1);
}

std::string ProcessImages::unfit_sites(const WatchedProcess& process) {
  std::string sentences;
  for (const MappedCode& code : process.code.newest()) {
    if (code.file == nullptr) continue;
    const std::string& unfit = shared_tables_.of(*code.file).unfit;
    if (!unfit.empty()) sentences += (sentences.empty() ? "" : "; ") + unfit;
  }
  return sentences;
}

void ProcessImages::build_likely_tables() {
  auto own = maps_of(static_cast<uint32_t>(getpid()));
  if (!own) return;
  for (const MapsEntry& entry : parse_maps(*own)) {
    if (!entry.is_executable) continue;
    ModuleFile* file = files_.of(static_cast<uint32_t>(getpid()), entry);
    if (file == nullptr || !file->is_patchable()) continue;
    shared_tables_.build_unwind(*file);
    shared_tables_.build_sites(*file);
  }
}

bool maps_session(uint32_t pid, const SessionMemory& memory) {
  auto text = maps_of(pid);
  if (!text) return false;
  for (const MapsEntry& entry : parse_maps(*text)) {
    if (entry.inode == memory.inode() && entry.path.find("culprit-session") != std::string::npos) return true;
  }
  return false;
}

}  // namespace culprit
