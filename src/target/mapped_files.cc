#include "target/mapped_files.h"

#include <algorithm>
#include <optional>

#include "target/link_map.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr size_t most_header_bytes = 65536;  // a core can make one table of headers count for thousands of files
constexpr std::string_view deleted_mark = " (deleted)";  // d_path() of the kernel, after the path of an unlinked file
constexpr std::string_view vdso_name = "[vdso]";

uint64_t page_below(uint64_t address) { return address / page * page; }

// From where to where a file's segments reach, in link-time addresses.
struct Extent {
  uint64_t start = UINT64_MAX, end = 0;
};

Extent extent_of(const std::vector<ElfSegment>& segments) {
  Extent extent;
  for (const ElfSegment& load : segments) {
    if (!load.is_load() || load.memory_size > UINT64_MAX - load.address) continue;
    extent.start = std::min(extent.start, page_below(load.address));
    extent.end = std::max(extent.end, load.address + load.memory_size);
  }
  return extent;
}

// The ELF file whose first page was mapped there, by its headers; nothing: there is none.
std::optional<ElfFile> image_at(const CoreMemory& memory, uint64_t address) {
  auto image = parse_elf(headers_at(memory, address), ElfLayout::image);
  if (!image || (image->type != elf::type_executable && image->type != elf::type_shared)) return {};
  Extent extent = extent_of(image->segments);
  if (extent.start > extent.end || extent.end - extent.start > UINT64_MAX - address) return {};
  return std::move(*image);
}

MappedFile vdso_file(uint64_t start, const CoreSegments& segments) {
  const ElfSegment* load = segments.at(start);
  uint64_t end = load == nullptr ? start + page : CoreSegments::end_of(*load);
  return {.path = std::string(vdso_name), .ranges = {{start, end, 0}}};
}

std::vector<MappedFile> files_of_notes(const CoreNotes& notes, const CoreMemory& memory) {
  std::vector<CoreFileRange> ranges = notes.files;
  std::ranges::stable_sort(ranges, {}, &CoreFileRange::start);
  std::vector<MappedFile> files;
  std::string_view path;
  uint64_t end = 0;  // of the file that the last ranges belong to; 0: its headers are not there to tell
  for (const CoreFileRange& range : ranges) {
    bool goes_on = !files.empty() && range.path == path &&
                   (end != 0 ? range.start < end : range.offset >= files.back().ranges.back().offset);
    if (!goes_on) {
      files.push_back({.path = std::string(range.path)});
      path = range.path;
      auto image = range.offset == 0 ? image_at(memory, range.start) : std::nullopt;
      Extent extent = image ? extent_of(image->segments) : Extent{};
      end = image ? range.start + (extent.end - extent.start) : 0;
    }
    files.back().ranges.push_back({range.start, range.end, range.offset});
  }
  for (MappedFile& file : files) {
    file.is_deleted = file.path.ends_with(deleted_mark);
    if (file.is_deleted) file.path.resize(file.path.size() - deleted_mark.size());
  }
  return files;
}

// Memory may hold an ELF file that was only read, so its code must lie there as code, as far as the core lists it.
bool is_mapped_as_code(const ElfFile& image, uint64_t bias, const CoreSegments& segments) {
  return std::ranges::any_of(image.segments, [&](const ElfSegment& segment) {
    const ElfSegment* load = segment.is_code() ? segments.at(bias + segment.address) : nullptr;
    return segment.is_code() && (load == nullptr || load->is_code());
  });
}

struct Image {
  ElfFile elf;
  uint64_t bias = 0;

  uint64_t dynamic() const {
    const ElfSegment* segment = elf.segment(elf::segment_dynamic);
    return segment == nullptr ? 0 : bias + segment->address;
  }
  MappedFile as_mapped() const {
    MappedFile file;
    for (const ElfSegment& load : elf.segments) {
      if (!load.is_load() || load.file_size == 0 || load.file_size > UINT64_MAX - 2 * page - load.address) continue;
      uint64_t start = bias + page_below(load.address),
               end = bias + page_below(load.address + load.file_size + page - 1);
      if (start < end) file.ranges.push_back({start, end, page_below(load.offset)});
    }
    std::ranges::sort(file.ranges, {}, &MappedRange::start);
    return file;
  }
};

std::vector<MappedFile> files_by_headers(const CoreNotes& notes, const CoreSegments& segments, CoreMemory& memory) {
  std::vector<Image> images;
  uint64_t end = 0;
  for (const ElfSegment& load : segments.all()) {
    if (load.address < end || !looks_like_elf(memory.at(load.address))) continue;
    auto elf = image_at(memory, load.address);
    if (!elf) continue;
    Extent extent = extent_of(elf->segments);
    Image image{.elf = std::move(*elf), .bias = load.address - extent.start};
    if (!is_mapped_as_code(image.elf, image.bias, segments)) continue;
    end = image.bias + extent.end;
    images.push_back(std::move(image));
  }
  auto program = std::ranges::find_if(images, [&](const Image& image) { return !image.elf.interpreter().empty(); });
  auto objects = program == images.end() ? std::vector<LoadedObject>{} : loaded_objects(memory, program->dynamic());

  std::vector<MappedFile> files;
  for (const Image& image : images) {
    MappedFile file = image.as_mapped();
    if (file.ranges.empty()) continue;
    auto object = std::ranges::find(objects, image.dynamic(), &LoadedObject::dynamic);
    if (object != objects.end() && image.dynamic() != 0) file.path = object->path;
    if (&image == &*program && file.path.empty()) file.path = text_at(memory, notes.auxiliary.program_path);
    file.is_program = &image == &*program;
    if (file.start() != notes.auxiliary.vdso) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Bytes headers_at(const CoreMemory& memory, uint64_t address) {
  Bytes there = memory.at(address);
  return there.first(std::min(there.size(), most_header_bytes));
}

std::vector<MappedFile> find_mapped_files(const CoreNotes& notes, const CoreSegments& segments, CoreMemory& memory) {
  auto files = notes.files.empty() ? files_by_headers(notes, segments, memory) : files_of_notes(notes, memory);
  const CoreAuxiliary& told = notes.auxiliary;
  uint64_t in_program = told.program_headers != 0 ? told.program_headers : told.entry;
  for (MappedFile& file : files)
    for (const MappedRange& range : file.ranges)
      if (in_program != 0 && in_program - range.start < range.end - range.start && in_program >= range.start)
        file.is_program = true;
  if (told.vdso != 0) files.push_back(vdso_file(told.vdso, segments));
  std::ranges::stable_sort(files, {}, [](const MappedFile& file) { return file.start(); });
  return files;
}

}  // namespace culprit
