#include "target/elf_copy.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/syscall.h"
#include "format/elf.h"

namespace culprit {
namespace {

constexpr uint64_t file_limit = uint64_t{16} << 30;
constexpr uint64_t header_bytes = 8192;  // ELF header and program headers, in every file seen

Result<Mapping> zeros(uint64_t size) {
  auto start = checked("reserve memory for a module", [&] {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  });
  if (!start) return tl::unexpected<Error>(start.error());
  return Mapping(*start, size);
}

// What cannot be read stays zero.
void copy_range(int fd, Mapping& copy, uint64_t offset, uint64_t size) {
  if (offset >= copy.size()) return;
  uint64_t end = offset + std::min(size, copy.size() - offset);
  while (offset < end) {
    ssize_t got = pread(fd, copy.data() + offset, end - offset, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    offset += static_cast<uint64_t>(got);
  }
}

void copy_section_headers(int fd, Mapping& copy) {
  Elf64_Ehdr header;
  std::memcpy(&header, copy.data(), sizeof(header));
  uint64_t size = uint64_t{header.e_shnum} * header.e_shentsize;
  copy_range(fd, copy, header.e_shoff, size);
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum) return;
  uint64_t names_at = header.e_shoff + uint64_t{header.e_shstrndx} * sizeof(Elf64_Shdr);
  if (names_at > copy.size() || copy.size() - names_at < sizeof(Elf64_Shdr)) return;
  Elf64_Shdr names;
  std::memcpy(&names, copy.data() + names_at, sizeof(names));
  copy_range(fd, copy, names.sh_offset, std::min<uint64_t>(names.sh_size, uint64_t{1} << 20));
}

bool is_wanted(const ElfSegment& segment, ElfParts parts, bool sections_tell) {
  if (!segment.is_load()) {
    return segment.type == elf::segment_note || segment.type == elf::segment_interpreter ||
           segment.type == elf::segment_dynamic;
  }
  if (parts == ElfParts::all_load) return true;
  return parts == ElfParts::unwind && !sections_tell && (!segment.is_code() || segment.offset == 0);
}

bool is_wanted(const ElfSection& section, ElfParts parts) {
  if (parts == ElfParts::unwind) return section.name.starts_with(".eh_frame");
  return parts == ElfParts::exports && (section.name == ".dynsym" || section.name == ".dynstr");
}

Result<Mapping> copy_own_vdso() {
  auto start = reinterpret_cast<const std::byte*>(getauxval(AT_SYSINFO_EHDR));
  if (start == nullptr) return fail(ErrorKind::not_found, "this kernel has no vdso");
  Elf64_Ehdr header;
  std::memcpy(&header, start, sizeof(header));
  uint64_t size = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;  // the section headers are its end
  auto copy = zeros(size);
  if (copy) std::memcpy(copy->data(), start, size);
  return copy;
}

}  // namespace

Result<Mapping> copy_elf(const std::string& path, ElfParts parts) {
  if (path == "[vdso]") return copy_own_vdso();
  auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return tl::unexpected<Error>(fd.error());
  struct stat info {};
  if (fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) return fail(ErrorKind::unsupported, path + " is no file");
  auto size = static_cast<uint64_t>(info.st_size);
  if (size < sizeof(Elf64_Ehdr) || size > file_limit) return fail(ErrorKind::unsupported, path + " is no ELF file");

  auto copy = zeros(size);
  if (!copy) return copy;
  copy_range(fd->get(), *copy, 0, header_bytes);
  copy_section_headers(fd->get(), *copy);
  auto elf = parse_elf(copy->bytes());
  if (!elf) return tl::unexpected<Error>(elf.error());
  bool sections_tell = false;
  for (const ElfSection& section : elf->sections) {
    if (!is_wanted(section, parts)) continue;
    copy_range(fd->get(), *copy, section.offset, section.size);
    sections_tell = true;
  }
  for (const ElfSegment& segment : elf->segments) {
    if (is_wanted(segment, parts, sections_tell)) copy_range(fd->get(), *copy, segment.offset, segment.file_size);
  }
  return copy;
}

}  // namespace culprit
