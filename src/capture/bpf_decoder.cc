#include "capture/bpf_decoder.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "capture/handle_calls.h"
#include "capture/tsc_clock.h"
#include "format/procfs.h"
#include "unwind/unwinder.h"

namespace culprit {
namespace {

// Between a creation and the return of its call a thread may be preempted.
constexpr Time compared_wait = 50'000'000;
constexpr Time copied_wait = 3'000'000'000;  // for the unwind table of a large file
constexpr size_t copied_limit = 4096;        // 8 KiB each

struct Opcode {
  uint16_t number;
  std::string_view name;
};
constexpr Opcode io_uring_opcodes[] = {{13, "ACCEPT"},           {18, "OPENAT"},   {19, "CLOSE"},
                                       {28, "OPENAT2"},          {40, "MSG_RING"}, {45, "SOCKET"},
                                       {54, "FIXED_FD_INSTALL"}, {62, "PIPE"}};

std::string io_uring_call(uint16_t opcode) {
  for (const Opcode& row : io_uring_opcodes) {
    if (row.number == opcode) return fmt::format("io_uring({})", row.name);
  }
  return fmt::format("io_uring({})", opcode);
}

HandleAction action_of(uint16_t kind) {
  switch (kind) {
    case CULPRIT_BPF_DUPLICATED:
      return HandleAction::duplicate;
    case CULPRIT_BPF_RECEIVED:
      return HandleAction::receive;
    case CULPRIT_BPF_CLOSED:
      return HandleAction::close;
    default:
      return HandleAction::open;
  }
}

// As the link in /proc/PID/fd would say it. `name` is that of the innermost directory entry, `path` the whole, if
// known.
FdTarget target_of(const culprit_bpf_event& header, std::string_view name, const std::string& path) {
  constexpr uint64_t anonymous_inodes = 0x09041934, namespaces = 0x6e736673, processes = 0x50494446,
                     message_queues = 0x19800202;
  bool knows_file_system = header.kind == CULPRIT_BPF_ENTRY;
  uint64_t file_system = knows_file_system ? header.extra : name.empty() ? 0 : anonymous_inodes;
  if (file_system == anonymous_inodes) return parse_fd_link(fmt::format("anon_inode:{}", name));
  if (file_system == processes) return parse_fd_link("anon_inode:[pidfd]");
  if (file_system == namespaces) return parse_fd_link(fmt::format("net:[{}]", header.inode));
  if (S_ISSOCK(header.mode)) return parse_fd_link(fmt::format("socket:[{}]", header.inode));
  if (S_ISFIFO(header.mode) && (path.empty() || path == "/"))
    return parse_fd_link(fmt::format("pipe:[{}]", header.inode));
  FdTarget target = parse_fd_link(path.empty() ? "/" : path, header.mode);
  if (file_system == message_queues) target.type = handle_type::message_queue;
  if (path.empty()) target.name.clear();
  bool is_deleted = knows_file_system && header.other == 0 && target.type != handle_type::memfd;
  if (is_deleted && !target.name.empty()) target.name += " (deleted)";
  return target;
}

}  // namespace

bool BpfDecoder::on_event(const BpfEvent& event) {
  const culprit_bpf_event& header = event.header;
  auto time = static_cast<Time>(header.time);
  if (header.kind == CULPRIT_BPF_EXITED && processes_.find(header.pid) == nullptr) return true;
  if (header.kind == CULPRIT_BPF_FORKED && header.pid == static_cast<uint32_t>(getpid())) {
    processes_.launched(static_cast<uint32_t>(header.value), header.extra, time);
    return true;
  }
  BpfProcess& process = processes_.of(header.pid, header.life, time);
  process.book->last_event = std::max(process.book->last_event, time);
  dispatch(process, event);
  return header.kind != CULPRIT_BPF_WANTS_CODE;
}

void BpfDecoder::dispatch(BpfProcess& process, const BpfEvent& event) {
  const culprit_bpf_event& header = event.header;
  auto time = static_cast<Time>(header.time);
  switch (header.kind) {
    case CULPRIT_BPF_FORKED:
      return processes_.forked(process, static_cast<uint32_t>(header.value), header.extra, time, header.other != 0,
                               header.tid, stack_of(process, event), header.inode);
    case CULPRIT_BPF_EXECUTED:
      return on_executed(process, event);
    case CULPRIT_BPF_EXITED:
      return processes_.ended(process, time, header.value);
    case CULPRIT_BPF_ENTRY:
      return on_entry(process, event);
    case CULPRIT_BPF_TABLE:
      return on_table(process, event);
    case CULPRIT_BPF_WANTS_CODE:
      process.code.key = header.extra;
      process.code.image = header.inode;
      process.wants_code = true;
      process.must_read |= header.other != 0;
      return;
    case CULPRIT_BPF_MAPPED:
      return on_mapped(process, event);
    case CULPRIT_BPF_STACK:
      stack_of(process, event);
      return;
    default:
      return on_handle(process, event);
  }
}

void BpfDecoder::on_executed(BpfProcess& process, const BpfEvent& event) {
  size_t arguments = std::min<size_t>(event.name.size(), static_cast<uint32_t>(event.header.other));
  std::string_view path = event.name.substr(0, event.name.size() - arguments);
  processes_.executed(process, static_cast<Time>(event.header.time), event.header.tid, event.header.inode, event.words,
                      path, event.name.substr(path.size()));
}

void BpfDecoder::on_mapped(BpfProcess& process, const BpfEvent& event) {
  if (event.header.other == 0) {
    process.told.add(event.words, event.header.inode, event.name);
  } else if (event.words.size() >= 2) {
    process.told.remove(event.words[0], event.words[1]);
  }
  process.map.reset();
}

void BpfDecoder::on_entry(BpfProcess& process, const BpfEvent& event) {
  std::string path = path_of_components(event.name);
  FdTarget target = target_of(event.header, event.name.substr(0, event.name.find('\0')), path);
  SnapshotEntry& entry = process.described.emplace_back();
  entry.value = event.header.value;
  entry.type = tables_.intern(target.type);
  entry.name = tables_.intern(target.name);
  entry.object = event.header.inode;
}

void BpfDecoder::on_table(BpfProcess& process, const BpfEvent& event) {
  const culprit_bpf_event& header = event.header;
  for (size_t word = 0; word < event.words.size(); word++) {
    for (uint64_t bits = event.words[word]; bits != 0; bits &= bits - 1) {
      int64_t value = header.value + static_cast<int64_t>(word * 64) + __builtin_ctzll(bits);
      process.table_entries.push_back({.value = value});
    }
  }
  if (header.other == 0) return;  // more follows
  HandleSnapshot snapshot;
  snapshot.begin = snapshot.end = static_cast<Time>(header.time);
  snapshot.process = process.book->id;
  snapshot.reason = header.extra == CULPRIT_BPF_AT_EXEC ? SnapshotReason::exec : SnapshotReason::exit;
  snapshot.held = true;
  snapshot.entries = std::exchange(process.table_entries, {});
  auto described = process.described.begin();
  for (SnapshotEntry& entry : snapshot.entries) {
    while (described != process.described.end() && described->value < entry.value) ++described;
    if (described != process.described.end() && described->value == entry.value) entry = *described;
  }
  process.described.clear();
  process.table = header.table;
  events_.on_snapshot(snapshot);
}

StackId BpfDecoder::stack_of(BpfProcess& process, const BpfEvent& event) {
  if (!event.frames.empty())
    return stacks_
        .define(event.header.stack, event.frames, event.has(CULPRIT_BPF_TRUNCATED), *processes_.map_of(process))
        .id;
  const BpfStacks::Stack* known = event.header.stack != 0 ? stacks_.find(event.header.stack) : nullptr;
  return known != nullptr ? known->id : StackId::none;
}

void BpfDecoder::describe_new(HandleEvent& result, const BpfEvent& event) {
  if (result.action == HandleAction::close) return;
  const culprit_bpf_event& header = event.header;
  const CallNames::Entry& call = calls_.of(header.call, header.extra);
  bool is_io = event.has(CULPRIT_BPF_IO_URING);
  std::string_view type = is_io ? "" : tables_.text(call.type);
  result.name = is_io ? StringId::none : call.name;
  if (event.has(CULPRIT_BPF_BY_COMPARING)) {
    FdTarget target = target_of(header, event.name, "");
    if (type.empty()) type = target.type;
    if (result.name == StringId::none) result.name = tables_.intern(target.name);
  } else if (!event.name.empty()) {
    result.name = tables_.intern(event.name);
    if (header.mode != 0 && type == handle_type::file) type = parse_fd_link("/", header.mode).type;
    if (type == handle_type::device && type_by_path(event.name, handle_type::file) == handle_type::terminal)
      type = handle_type::terminal;
  }
  result.type = tables_.intern(type);
}

HandleEvent BpfDecoder::describe(BpfProcess& process, const BpfEvent& event) {
  const culprit_bpf_event& header = event.header;
  HandleEvent result;
  result.time = static_cast<Time>(header.time);
  result.value = header.value;
  result.process = process.book->id;
  result.tid = header.tid;
  result.action = action_of(header.kind);
  result.call = event.has(CULPRIT_BPF_IO_URING) ? tables_.intern(io_uring_call(header.call))
                                                : calls_.of(header.call, header.extra).call;
  if (result.action == HandleAction::duplicate) result.other = header.other;
  if (result.action == HandleAction::open || event.has(CULPRIT_BPF_BY_COMPARING)) describe_new(result, event);
  result.stack = stack_of(process, event);
  return result;
}

// Takes what was found by comparing and is told by this event, too, off the waiting ones. False: this event adds
// nothing.
void BpfDecoder::settle(const HandleEvent& event, uint64_t table, bool was_open) {
  auto found = std::ranges::find_if(compared_, [&](const Compared& compared) {
    return compared.table == table && compared.event.value == event.value;
  });
  if (found == compared_.end()) return;
  bool is_same = was_open && event.action != HandleAction::close;
  if (!is_same) hand_on(found->event);
  compared_.erase(found);
}

void BpfDecoder::on_handle(BpfProcess& process, const BpfEvent& event) {
  const culprit_bpf_event& header = event.header;
  if (header.value < 0) return;
  processes_.name_thread(process, header.tid, static_cast<Time>(header.time));
  if (!processes_.owns_table(process, header.table, header.tid)) {
    losses_.add(LossKind::table_not_checked, 1, process.book->id,
                fmt::format("events of thread {}, which has a handle table of its own", header.tid));
    return;
  }
  HandleEvent result = describe(process, event);
  if (event.has(CULPRIT_BPF_NAME_CUT)) losses_.add(LossKind::name_truncated, 1, process.book->id);
  if (event.has(CULPRIT_BPF_TRUNCATED)) losses_.add(LossKind::stack_truncated, 1, process.book->id);
  settle(result, header.table, event.has(CULPRIT_BPF_WAS_OPEN));
  if (event.has(CULPRIT_BPF_STACK_COPIED)) {
    copied_.push_back({result, event.copy, processes_.map_of(process), monotonic_now() + copied_wait});
    return;
  }
  if (result.stack == StackId::none) losses_.add(LossKind::stack_missing, 1, process.book->id);
  bool is_doubtful = event.has(CULPRIT_BPF_BY_COMPARING) && event.has(CULPRIT_BPF_SHARED_TABLE) &&
                     !event.has(CULPRIT_BPF_IO_URING) && result.action != HandleAction::close;
  if (is_doubtful) {
    compared_.push_back({result, header.table, monotonic_now() + compared_wait});
  } else {
    hand_on(result);
  }
}

void BpfDecoder::hand_on(const HandleEvent& event) {
  handle_events_++;
  events_.on_handle(event);
}

void BpfDecoder::release(Time now) {
  while (!compared_.empty() && compared_.front().until <= now) {
    hand_on(compared_.front().event);
    compared_.pop_front();
  }
  release_copied(now);
}

void BpfDecoder::release_copied(Time now) {
  while (!copied_.empty()) {
    Copied& first = copied_.front();
    bool is_late = first.until <= now || copied_.size() > copied_limit;
    auto stack = unwind(first, is_late);
    if (!stack) return;
    first.event.stack = *stack;
    if (*stack == StackId::none) losses_.add(LossKind::stack_missing, 1, first.event.process);
    hand_on(first.event);
    copied_.pop_front();
  }
}

std::optional<StackId> BpfDecoder::unwind(const Copied& copied, bool is_late) {
  if (copied.copy.bytes.empty()) return StackId::none;
  const CodeMap* map = copied.code.get();
  bool is_building = false;
  CodeLookup lookup = [&](uint64_t pc) -> std::optional<UnwindCode> {
    const MappedCode* code = map->find(pc, map->generation());
    if (code == nullptr) return std::nullopt;
    UnwindCode found{code->bias, {}, {}};
    if (code->file == nullptr) return found;
    const BpfTables::Table& table = unwind_tables_.of(*code->file);
    is_building |= table.state == BpfTables::State::building;
    if (table.state == BpfTables::State::none) return found;
    if (table.state != BpfTables::State::placed) return std::nullopt;
    found.rows = unwind_tables_.rows_of(table);
    found.far = unwind_tables_.far_of(table);
    return found;
  };
  CopiedMemory memory(copied.copy.sp, copied.copy.bytes);
  WalkedStack walked = walk_stack({copied.copy.ip, copied.copy.sp, copied.copy.bp}, memory, lookup,
                                  {.limit = CULPRIT_BPF_FRAMES, .is_in_system_call = true});
  if (is_building && !is_late) return std::nullopt;
  if (walked.is_truncated) losses_.add(LossKind::stack_truncated, 1, copied.event.process);
  return stacks_.intern(walked, *map);
}

}  // namespace culprit
