#include "format/small_core.h"

#include <algorithm>
#include <cstring>

#include "format/core_notes.h"
#include "format/elf.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096, header_size = 64, program_header_size = 56;
constexpr uint64_t too_many_headers = 0xffff;  // PN_XNUM: the number stands at the end of the file
constexpr uint64_t red_zone = 128, around_pointer = 64 << 10, most_of_stack = 16 << 20;
constexpr uint64_t least_of_other_stack = 8 << 10, most_of_other_stack = 64 << 10;

struct Range {
  uint64_t start = 0, end = 0;  // offsets in the original
};

void append(std::vector<std::byte>& bytes, const void* from, size_t size) {
  auto* begin = static_cast<const std::byte*>(from);
  bytes.insert(bytes.end(), begin, begin + size);
}

// Elf64_Phdr.
struct ProgramHeader {
  uint32_t type, flags;
  uint64_t offset, address, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(ProgramHeader) == program_header_size);

// What is kept of the memory that a core stores.
class Choice {
 public:
  Choice(const ElfFile& core, uint64_t most_bytes) : room_(most_bytes) {
    for (const ElfSegment& segment : core.segments)
      if (segment.is_load() && segment.file_size != 0 && segment.offset < UINT64_MAX - segment.file_size)
        stored_.push_back(&segment);
    std::ranges::sort(stored_, {}, &ElfSegment::address);
  }

  // Memory [start, end), as far as one mapping goes, in whole pages.
  void keep(uint64_t start, uint64_t end) {
    const ElfSegment* segment = at(start);
    if (segment == nullptr) return;
    uint64_t from = (start - segment->address) / page * page;
    uint64_t to = std::min(end - segment->address, segment->file_size);
    to = std::min((to + page - 1) / page * page, segment->file_size);
    if (end <= start || to <= from || to - from > room_) return;
    room_ -= to - from;
    kept_.push_back({segment->offset + from, segment->offset + to});
  }
  void keep_around(uint64_t address) {
    const ElfSegment* segment = at(address);
    if (segment == nullptr) return;
    uint64_t start = std::max(segment->address, address - std::min(address, around_pointer));
    keep(start, address < UINT64_MAX - around_pointer ? address + around_pointer : UINT64_MAX);
  }
  // From a stack pointer outwards.
  void keep_stack(uint64_t pointer, uint64_t most) {
    uint64_t start = pointer - std::min(pointer, red_zone);
    if (at(start) == nullptr) start = pointer;
    keep(start, start < UINT64_MAX - most ? start + most : UINT64_MAX);
  }
  void keep_whole_mappings() {
    std::vector<const ElfSegment*> by_size = stored_;
    std::ranges::stable_sort(by_size, {}, &ElfSegment::file_size);
    for (const ElfSegment* segment : by_size) keep(segment->address, segment->address + segment->file_size);
  }

  // Ascending and apart from each other.
  std::vector<Range> ranges() && {
    std::ranges::sort(kept_, {}, &Range::start);
    std::vector<Range> merged;
    for (const Range& range : kept_) {
      if (merged.empty() || range.start > merged.back().end)
        merged.push_back(range);
      else
        merged.back().end = std::max(merged.back().end, range.end);
    }
    return merged;
  }

 private:
  const ElfSegment* at(uint64_t address) const {
    auto above = std::ranges::upper_bound(stored_, address, {}, &ElfSegment::address);
    if (above == stored_.begin()) return nullptr;
    const ElfSegment* segment = *std::prev(above);
    return address - segment->address < segment->file_size ? segment : nullptr;
  }

  uint64_t room_;
  std::vector<const ElfSegment*> stored_;  // ascending by address
  std::vector<Range> kept_;
};

void keep_registers(Choice& choice, const Registers& r) {
  for (uint64_t value : {r.rip, r.rdi, r.rsi, r.rax, r.rbx, r.rcx, r.rdx, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
                         r.r14, r.r15, r.fs_base})
    choice.keep_around(value);
}

std::vector<Range> choose(const ElfFile& core, const CoreNotes& notes, const SmallCoreWish& wish) {
  Choice choice(core, wish.most_bytes);
  if (!notes.threads.empty()) {
    const CoreThread& died = notes.threads.front();
    choice.keep_stack(died.registers.rsp, most_of_stack);
    if (died.signal_info && died.signal_info->fault_address) choice.keep_around(*died.signal_info->fault_address);
    keep_registers(choice, died.registers);
    uint64_t each = std::clamp(wish.most_bytes / 2 / notes.threads.size(), least_of_other_stack, most_of_other_stack);
    for (const CoreThread& thread : notes.threads) choice.keep_stack(thread.registers.rsp, each);
  }
  // The outer end of the main thread's stack has its arguments.
  if (notes.auxiliary.program_path != 0) choice.keep_around(notes.auxiliary.program_path);
  choice.keep_whole_mappings();
  return std::move(choice).ranges();
}

// Headers of the small core, and what goes where.
class Layout {
 public:
  Layout(const ElfFile& core, const std::vector<Range>& kept) : core_(core), kept_(kept) {}

  SmallCorePlan plan() {
    for (const ElfSegment& segment : core_.segments) add(segment);
    SmallCorePlan plan;
    uint64_t at = header_size + headers_.size() * program_header_size;
    for (const Note& note : notes_) {
      headers_[note.header].offset = at;
      at += note.bytes.size();
    }
    uint64_t head_size = (at + page - 1) / page * page;
    at = head_size;
    for (const Stored& stored : stored_) {
      headers_[stored.header].offset = at;
      add_piece(plan, {stored.from, headers_[stored.header].file_size, at});
      at += headers_[stored.header].file_size;
    }
    for (size_t left_out : left_out_) {
      headers_[left_out].offset = at;
      plan.left_out += headers_[left_out].file_size;
    }
    plan.size = at;
    plan.original_size = original_size_;
    write_head(plan.head);
    plan.head.resize(head_size);
    return plan;
  }

  size_t header_count() const { return headers_.size(); }

 private:
  struct Note {
    size_t header;
    Bytes bytes;
  };
  struct Stored {
    size_t header;
    uint64_t from;
  };

  static void add_piece(SmallCorePlan& plan, const SmallCorePlan::Piece& piece) {
    if (!plan.pieces.empty()) {
      SmallCorePlan::Piece& last = plan.pieces.back();
      if (last.from + last.size == piece.from && last.to + last.size == piece.to) {
        last.size += piece.size;
        return;
      }
    }
    plan.pieces.push_back(piece);
  }

  void add(const ElfSegment& segment) {
    if (segment.type == elf::segment_note) {
      notes_.push_back({headers_.size(), core_.data_of(segment)});
      header_of(segment, 0, notes_.back().bytes.size());
    } else if (segment.is_load()) {
      original_size_ = std::max(original_size_, segment.offset + segment.file_size);
      split(segment);
    }
  }

  // Kept parts and those left out take turns.
  void split(const ElfSegment& segment) {
    uint64_t at = segment.offset, end = segment.offset + segment.file_size;
    if (segment.file_size == 0) header_of(segment, 0, 0);
    auto range = std::ranges::upper_bound(kept_, at, {}, &Range::end);
    while (at < end) {
      bool is_kept = range != kept_.end() && range->start <= at;
      uint64_t stop = range == kept_.end() ? end : std::min(end, is_kept ? range->end : range->start);
      if (is_kept)
        stored_.push_back({headers_.size(), at});
      else
        left_out_.push_back(headers_.size());
      header_of(segment, at - segment.offset, stop - at);
      if (is_kept && stop == range->end) ++range;
      at = stop;
    }
  }

  void header_of(const ElfSegment& segment, uint64_t skipped, uint64_t size) {
    bool is_last = skipped + size >= segment.file_size;
    uint64_t memory = is_last && segment.memory_size > skipped ? segment.memory_size - skipped : size;
    headers_.push_back({segment.type, segment.flags, segment.offset, segment.address + skipped, 0, size,
                        segment.is_load() ? memory : 0, segment.alignment});
  }

  void write_head(std::vector<std::byte>& head) const {
    append(head, core_.bytes.data(), header_size);
    // e_phoff, e_shoff, then from e_phentsize on: there are no sections.
    constexpr size_t headers_at = 32, sections_at = 40, counts_at = 54;
    uint64_t first = header_size, none = 0;
    std::memcpy(head.data() + headers_at, &first, sizeof first);
    std::memcpy(head.data() + sections_at, &none, sizeof none);
    uint16_t counts[] = {program_header_size, static_cast<uint16_t>(headers_.size()), 0, 0, 0};
    std::memcpy(head.data() + counts_at, counts, sizeof counts);
    append(head, headers_.data(), headers_.size() * program_header_size);
    for (const Note& note : notes_) append(head, note.bytes.data(), note.bytes.size());
  }

  const ElfFile& core_;
  const std::vector<Range>& kept_;  // offsets in the original
  std::vector<ProgramHeader> headers_;
  std::vector<Note> notes_;
  std::vector<Stored> stored_;
  std::vector<size_t> left_out_;
  uint64_t original_size_ = 0;
};

// The order of the memory in the file is that of the pipe.
bool is_in_order(const ElfFile& core) {
  uint64_t end = 0;
  for (const ElfSegment& segment : core.segments) {
    if (!segment.is_load() || segment.file_size == 0) continue;
    if (segment.offset < end || segment.file_size > UINT64_MAX / 2 - segment.offset ||
        segment.memory_size > UINT64_MAX - segment.address || segment.file_size > UINT64_MAX - segment.address)
      return false;
    end = segment.offset + segment.file_size;
  }
  return true;
}

}  // namespace

Result<uint64_t> head_size_of_core(Bytes beginning, uint64_t most) {
  if (beginning.size() < header_size) return header_size;
  if (!looks_like_elf(beginning)) return fail(ErrorKind::corrupt, "what comes is no core: it is not even ELF", 0);
  uint64_t headers = 0;
  uint16_t count = 0;
  std::memcpy(&headers, beginning.data() + 32, sizeof headers);
  std::memcpy(&count, beginning.data() + 56, sizeof count);
  if (count == too_many_headers)
    return fail(ErrorKind::unsupported, "the core has more mappings than its header can count", 0);
  if (headers > most) return fail(ErrorKind::corrupt, "the core's headers do not come first", 32);
  uint64_t headers_end = headers + count * program_header_size;
  if (beginning.size() < headers_end) return headers_end;
  auto core = parse_elf(beginning);
  if (!core) return tl::unexpected<Error>(std::move(core).error());
  if (core->type != elf::type_core)
    return fail(ErrorKind::usage, "what comes is a program or library, and no core", {});
  uint64_t head = headers_end;
  for (const ElfSegment& segment : core->segments)
    if (segment.type == elf::segment_note && segment.offset < most)
      head = std::max(head, segment.offset + segment.file_size);
  if (head > most) return fail(ErrorKind::limit, "the core has too many notes (threads) to be cut down", {});
  return head;
}

Result<SmallCorePlan> plan_small_core(Bytes head, const SmallCoreWish& wish) {
  auto core = parse_elf(head);
  if (!core) return tl::unexpected<Error>(std::move(core).error());
  if (core->type != elf::type_core)
    return fail(ErrorKind::usage, "what comes is a program or library, and no core", {});
  if (!is_in_order(*core))
    return fail(ErrorKind::unsupported, "the core's memory is not in the order of its headers", {});
  CoreNotes notes;
  for (const ElfSegment& segment : core->segments)
    if (segment.type == elf::segment_note) add_core_notes(core->data_of(segment), segment.alignment, notes);
  std::vector<Range> kept = choose(*core, notes, wish);
  Layout layout(*core, kept);
  SmallCorePlan plan = layout.plan();
  if (layout.header_count() >= too_many_headers)
    return fail(ErrorKind::unsupported, "the core has too many mappings to be cut down", {});
  return plan;
}

}  // namespace culprit
