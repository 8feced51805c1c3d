#include "capture/tracee_stacks.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/tsc_clock.h"

namespace culprit {
namespace {

constexpr size_t frame_limit = 512;
constexpr size_t remembered_limit = 4096;
constexpr size_t maps_limit = size_t{16} << 20;

}  // namespace

size_t TraceeStacks::Hash::operator()(const Place& place) const {
  return std::hash<uint64_t>()(place.ip * 0x9e3779b97f4a7c15 ^ place.sp);
}

bool TraceeStacks::read_code(TracedProcess& process, uint32_t tid) {
  WatchedProcess& book = *process.book;
  auto text = read_whole_file(fmt::format("/proc/{}/maps", tid), maps_limit);
  if (!text || text->empty()) return false;
  book.code.read(tid, *text, book.code.generation() + 1, files_);
  book.maps_read = monotonic_now();
  process.code_changed = process.code_grew = false;
  return true;
}

void TraceeStacks::build_tables(const TracedProcess& process) {
  for (const MappedCode& code : process.book->code.newest()) {
    if (code.file != nullptr) table_of(*code.file);
  }
}

const std::optional<UnwindTable>& TraceeStacks::table_of(const ModuleFile& file) {
  auto [place, is_new] = unwind_tables_.try_emplace(&file);
  if (is_new) place->second = build_unwind_table(file);
  return place->second;
}

TraceeStacks::Stack TraceeStacks::walk(TracedProcess& process, uint32_t tid, const UnwindRegisters& registers,
                                       Remembered& remembered) {
  CodeMap& map = process.book->code;
  CodeLookup lookup = [&](uint64_t pc) -> std::optional<UnwindCode> {
    const MappedCode* code = map.find(pc, map.generation());
    if (code == nullptr && process.code_grew && read_code(process, tid)) code = map.find(pc, map.generation());
    if (code == nullptr) return {};
    if (code->file == nullptr) return UnwindCode{code->bias, {}, {}};
    const auto& table = table_of(*code->file);
    if (!table) return {};  // no more is known than that it is code
    return UnwindCode{code->bias, table->rows, table->far};
  };
  ProcessMemory memory(tid);
  WalkedStack walked = walk_stack(registers, memory, lookup, {.limit = frame_limit, .is_in_system_call = true});
  remembered.words = std::move(walked.words);
  remembered.needs_bp = walked.needs_bp;
  Stack stack{walked.is_truncated ? StackId::truncated : StackId::none, walked.is_truncated};
  for (size_t i = walked.frames.size(); i-- > 0;) {
    stack.id = tables_.stacks.intern(stack.id, map.frame_at(walked.frames[i].address, walked.frames[i].found_by));
  }
  if (stack.id == StackId::truncated) stack.id = StackId::none;  // there was no room for it
  return stack;
}

TraceeStacks::Stack TraceeStacks::take(TracedProcess& process, uint32_t tid, const user_regs_struct& registers) {
  if (process.code_changed && !read_code(process, tid)) return {};
  auto [place, is_new] = remembered_.try_emplace(Place{registers.rip, registers.rsp});
  Remembered& remembered = place->second;
  bool is_same_bp = !remembered.needs_bp || remembered.bp == registers.rbp;
  bool is_same_code = !is_new && is_same_bp && remembered.process == process.book->id &&
                      remembered.generation == process.book->code.generation();
  if (is_same_code) {
    ProcessMemory memory(tid);
    bool is_same = std::ranges::all_of(remembered.words,
                                       [&](const StackWord& word) { return memory.word(word.address) == word.value; });
    if (is_same) return remembered.stack;
  }
  if (is_new && remembered_.size() > remembered_limit) {
    remembered_.clear();
    return take(process, tid, registers);
  }
  remembered.stack = walk(process, tid, {registers.rip, registers.rsp, registers.rbp}, remembered);
  remembered.bp = registers.rbp;
  // A walk that could not read on may read on another time.
  remembered.process = remembered.stack.is_truncated ? ProcessId::none : process.book->id;
  remembered.generation = process.book->code.generation();
  return remembered.stack;
}

}  // namespace culprit
