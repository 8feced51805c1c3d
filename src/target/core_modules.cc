#include "target/core_modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "target/link_map.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;  // also what the kernel stores of an ELF file that nothing was written to

// How a piece of a file is mapped: as the core says; where it does not list the piece, as the file's headers say.
uint32_t flags_of(const MappedRange& range, const CoreSegments& core, std::span<const ElfSegment> own) {
  if (const ElfSegment* load = core.at(range.start)) return load->flags;
  for (const ElfSegment& each : own)
    if (each.is_load() && each.offset / page * page == range.offset) return each.flags;
  return elf::segment_readable;
}

class ModuleFinder {
 public:
  ModuleFinder(const CoreSegments& core, CoreMemory& memory, const SearchPlaces& places)
      : core_(core), memory_(memory), places_(places), is_written_memory_stored_(stores_written_memory(core)) {}

  CoreModules find(const CoreNotes& notes) {
    for (const MappedFile& file : find_mapped_files(notes, core_, memory_)) add(file);
    if (found_.program.empty()) found_.program = text_at(memory_, notes.auxiliary.program_path);
    for (size_t i = 0; i + 1 < found_.modules.size(); ++i)
      found_.modules[i].end = std::min(found_.modules[i].end, found_.modules[i + 1].start);
    make_mappings_apart();
    return std::move(found_);
  }

 private:
  // Without its first bit, coredump_filter (core(5)) leaves out all memory that was written to.
  static bool stores_written_memory(const CoreSegments& core) {
    return std::ranges::any_of(core.all(), [](const ElfSegment& load) {
      return (load.flags & elf::segment_writable) != 0 && load.file_size != 0 && load.file_size >= load.memory_size;
    });
  }

  // As they are in an address space, whatever the core says.
  void make_mappings_apart() {
    std::ranges::stable_sort(found_.mappings, {}, &TargetMapping::start);
    uint64_t end = 0;
    for (TargetMapping& mapping : found_.mappings) {
      uint64_t start = std::clamp(end, mapping.start, mapping.end);
      mapping.offset += start - mapping.start;
      mapping.start = start;
      end = std::max(end, mapping.end);
    }
    std::erase_if(found_.mappings, [](const TargetMapping& mapping) { return mapping.start == mapping.end; });
  }

  void add(const MappedFile& file) {
    Bytes image = headers_at(memory_, file.start());
    auto mapped = parse_elf(image, ElfLayout::image);
    std::vector<ElfSegment> segments = mapped ? mapped->segments : std::vector<ElfSegment>{};
    bool is_code = std::ranges::any_of(file.ranges, [&](const MappedRange& range) {
      return (flags_of(range, core_, segments) & elf::segment_executable) != 0;
    });
    if (is_code && (mapped || image.empty())) segments = add_module(file, image, std::move(segments));
    for (const MappedRange& range : file.ranges) add_mapping(file, range, flags_of(range, core_, segments));
    if (file.is_program && found_.program.empty()) found_.program = file.path;
  }

  // The segments as they are best known afterwards.
  std::vector<ElfSegment> add_module(const MappedFile& file, Bytes image, std::vector<ElfSegment> segments) {
    TargetModule module{.module = {.path = file.path, .build_id = {}}, .start = file.start()};
    if (auto mapped = parse_elf(image, ElfLayout::image)) module.module.build_id = mapped->build_id();
    std::optional<FoundModule> own;
    if (file.path != "[vdso]") own = look_for(file, image, module);
    if (own) segments = own->elf.segments;
    module.segments = segments;
    place(module, file);
    if (own) {
      complete_memory(file, *own);
      found_.files.push_back(std::move(*own));
    }
    found_.modules.push_back(std::move(module));
    return segments;
  }

  std::optional<FoundModule> look_for(const MappedFile& file, Bytes image, TargetModule& module) {
    WantedModule wanted{.path = file.path,
                        .build_id = module.module.build_id,
                        .header = image.first(std::min<size_t>(image.size(), page)),
                        .is_program = file.is_program};
    auto own = find_module(wanted, places_, module.missing);
    std::string name = file.path.empty() ? fmt::format("a file without name at {:#x}", file.start()) : file.path;
    if (!own) {
      found_.losses.push_back({LossKind::modules_missing, 1, {}, name});
      return {};
    }
    if (!own->is_proven) found_.losses.push_back({LossKind::modules_unproven, 1, {}, own->path});
    module.opened_path = own->path;
    if (module.module.build_id.empty()) module.module.build_id = own->elf.build_id();
    if (module.module.path.empty()) module.module.path = own->path;
    return own;
  }

  // Where it lies, with the zeros behind its last mapping (.bss).
  static void place(TargetModule& module, const MappedFile& file) {
    module.end = file.ranges.back().end;
    module.bias = file.start() - file.ranges.front().offset;
    auto bias = load_bias(module.segments, file.start(), file.ranges.front().offset, false);
    if (!bias) return;
    module.bias = *bias;
    for (const ElfSegment& load : module.segments) {
      uint64_t end = *bias + load.address + load.memory_size;
      bool is_near = load.memory_size < UINT64_MAX / 4 && end > module.end;
      if (load.is_load() && is_near) module.end = end;
    }
  }

  // Memory of a private mapping is stored if it was ever written to: what the core does not claim to store is as in the
  // file. Code is not written to, so that it may also stand for what was stored and is cut off.
  void complete_memory(const MappedFile& file, const FoundModule& own) {
    Bytes content = own.mapping.bytes();
    for (const MappedRange& range : file.ranges) {
      uint64_t start = range.start;
      if ((flags_of(range, core_, own.elf.segments) & elf::segment_executable) == 0) {
        if (!is_written_memory_stored_) continue;
        if (const ElfSegment* load = core_.at(start)) start = std::max(start, load->address + load->file_size);
      }
      uint64_t offset = range.offset + (start - range.start);
      if (start >= range.end || offset < range.offset || offset >= content.size()) continue;
      found_.pieces.push_back({start, content.subspan(offset, std::min(range.end - start, content.size() - offset))});
    }
  }

  void add_mapping(const MappedFile& file, const MappedRange& range, uint32_t flags) {
    found_.mappings.push_back({.start = range.start,
                               .end = range.end,
                               .offset = range.offset,
                               .path = file.path,
                               .is_readable = (flags & elf::segment_readable) != 0,
                               .is_writable = (flags & elf::segment_writable) != 0,
                               .is_executable = (flags & elf::segment_executable) != 0,
                               .is_deleted = file.is_deleted});
  }

  const CoreSegments& core_;
  CoreMemory& memory_;
  const SearchPlaces& places_;
  bool is_written_memory_stored_;
  CoreModules found_;
};

}  // namespace

CoreModules find_core_modules(const CoreNotes& notes, const CoreSegments& segments, CoreMemory& memory,
                              const SearchPlaces& places) {
  return ModuleFinder(segments, memory, places).find(notes);
}

}  // namespace culprit
