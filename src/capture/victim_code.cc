#include "capture/victim_code.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/syscall.h"
#include "base/text.h"
#include "target/elf_copy.h"

namespace culprit {
namespace {

// Of any library that has its own.
constexpr std::string_view allocator_functions[] = {"malloc", "calloc",   "realloc",        "free",
                                                    "cfree",  "memalign", "posix_memalign", "aligned_alloc",
                                                    "valloc", "pvalloc",  "reallocarray",   "malloc_usable_size"};

// Of libc, beside those.
constexpr std::string_view delicate_functions[] = {
    // the loader's doors
    "dlopen", "dlmopen", "dlsym", "dlvsym", "dlclose", "dlerror", "dladdr", "dladdr1", "dlinfo", "dl_iterate_phdr",
    "_dl_addr", "_dl_find_object",
    // the allocator's own affairs
    "malloc_trim", "malloc_info", "malloc_stats", "mallinfo", "mallinfo2", "mallopt", "__libc_malloc", "__libc_free",
    "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_freeres", "__libc_thread_freeres",
    // a new process, and the end of this one
    "fork", "vfork", "_Fork", "__fork", "__vfork", "__libc_fork", "posix_spawn", "posix_spawnp", "daemon", "exit",
    "_exit", "_Exit", "quick_exit", "abort", "on_exit", "atexit", "__cxa_finalize", "__cxa_atexit",
    "__cxa_thread_atexit_impl", "execve", "execv", "fexecve", "execveat",
    // threads: their list is locked while one comes or goes, and while all change their user
    "pthread_create", "pthread_exit", "pthread_detach", "pthread_cancel", "pthread_getattr_np", "pthread_atfork",
    "__register_atfork", "thrd_create", "thrd_exit", "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid",
    "setresuid", "setresgid", "setgroups", "initgroups"};

// They hold something only after they have waited.
constexpr std::string_view functions_that_wait[] = {
    "pthread_join", "pthread_tryjoin_np", "pthread_timedjoin_np", "pthread_clockjoin_np", "thrd_join", "system",
    "pclose"};

// What BorrowedThread returns into.
constexpr std::array<uint8_t, 9> sigreturn_code = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

bool is_libc(const ModuleFile& file) {
  std::string_view name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
  return file.is_patchable() && name.starts_with("libc");
}

uint64_t address_of_bytes(const ElfFile& elf, std::span<const uint8_t> wanted) {
  for (const ElfSegment& segment : elf.segments) {
    if (!segment.is_code()) continue;
    Bytes code = elf.data_of(segment);
    const void* found = memmem(code.data(), code.size(), wanted.data(), wanted.size());
    if (found != nullptr)
      return segment.address + static_cast<uint64_t>(static_cast<const std::byte*>(found) - code.data());
  }
  return 0;
}

// A function that adds a word of the library to the thread pointer and returns the sum, as __errno_location does: where
// the word is. The two instructions come in either order. 0: it does something else.
uint64_t slot_of_thread_offset(const ElfFile& elf, uint64_t function, uint64_t bias) {
  constexpr size_t longest = 24;
  constexpr uint8_t landing[] = {0xf3, 0x0f, 0x1e, 0xfa}, load_first[] = {0x48, 0x8b, 0x05},
                    add_later[] = {0x48, 0x03, 0x05};
  constexpr uint8_t add_pointer[] = {0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0, 0xc3};
  constexpr uint8_t load_pointer[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0};
  constexpr size_t distance_size = 4;
  Bytes code = elf.at_address(function, longest);
  size_t at = 0;
  auto take = [&](std::span<const uint8_t> wanted) {
    bool is_there =
        code.size() >= at + wanted.size() && std::ranges::equal(std::as_bytes(wanted), code.subspan(at, wanted.size()));
    at += is_there ? wanted.size() : 0;
    return is_there;
  };
  auto slot = [&](size_t distance_at) {
    auto distance = ByteReader(code, distance_at).take<int32_t>();
    return bias + function + distance_at + distance_size + static_cast<uint64_t>(int64_t{distance});
  };
  take(landing);
  if (take(load_first)) {
    size_t distance_at = at;
    at += distance_size;
    return take(add_pointer) ? slot(distance_at) : 0;
  }
  return take(load_pointer) && take(add_later) ? slot(at) : 0;
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

void VictimCode::add_libc(const ModuleFile& file, uint64_t bias) {
  auto copy = copy_elf(file.opened_path, ElfParts::all_load);
  auto elf = copy ? parse_elf(copy->bytes()) : Result<ElfFile>(tl::unexpect, Error{});
  if (!elf) return;
  struct Entry {
    std::string_view name;
    uint64_t LibcEntries::*place;
  };
  constexpr Entry entries[] = {{"dlopen", &LibcEntries::dlopen},
                               {"dlclose", &LibcEntries::dlclose},
                               {"mmap", &LibcEntries::mmap},
                               {"munmap", &LibcEntries::munmap}};
  for (const ElfSymbol& symbol : elf->function_symbols()) {
    for (const Entry& entry : entries)
      if (symbol.name == entry.name) libc_.*entry.place = bias + symbol.address;
    if (symbol.name == "__errno_location") libc_.errno_offset = slot_of_thread_offset(*elf, symbol.address, bias);
    Range range{bias + symbol.address, bias + symbol.address + symbol.size};
    if (is_one_of(delicate_functions, symbol.name) || is_one_of(allocator_functions, symbol.name))
      delicate_.push_back(range);
    if (is_one_of(functions_that_wait, symbol.name)) delicate_while_running_.push_back(range);
  }
  uint64_t sigreturn = address_of_bytes(*elf, sigreturn_code);
  libc_.sigreturn = sigreturn == 0 ? 0 : bias + sigreturn;
  libc_path_ = file.path;
  allocators_.push_back({file.opened_path, bias});
}

// A library with an allocator of its own is delicate as a whole. In a program, only the doors of it can be known.
void VictimCode::add_allocator(const ModuleFile& file, const MapsEntry& entry, uint64_t bias) {
  auto copy = copy_elf(file.opened_path, ElfParts::exports);
  auto elf = copy ? parse_elf(copy->bytes()) : Result<ElfFile>(tl::unexpect, Error{});
  if (!elf) return;
  bool is_program = !elf->interpreter().empty();
  for (const ElfSymbol& symbol : elf->function_symbols()) {
    if (!is_one_of(allocator_functions, symbol.name)) continue;
    if (allocators_.empty() || allocators_.back().path != file.opened_path)
      allocators_.push_back({file.opened_path, bias});
    if (!is_program) return delicate_.push_back({entry.start, entry.end});
    delicate_.push_back({bias + symbol.address, bias + symbol.address + symbol.size});
  }
}

void VictimCode::add_module(const MapsEntry& entry, const ModuleFile& file, uint64_t bias, SharedTables& tables) {
  tables.build_unwind(file);
  bool is_loader = file.is_patchable() && !is_libc(file);
  bool is_system = file.is_patchable() || entry.path == "[vdso]";
  pieces_.push_back({entry.start, entry.end, tables.unwind_code(file, bias), is_system});
  if (is_loader) delicate_.push_back({entry.start, entry.end});
  if (is_libc(file)) add_libc(file, bias);
  if (!is_system) add_allocator(file, entry, bias);
  if (!file.is_patchable()) return;
  tables.build_sites(file);
  for (const culprit_site& site : tables.of(file).known_sites) sites_.push_back({bias + site.start, site});
}

Result<VictimCode> VictimCode::read(uint32_t pid, ModuleFiles& files, SharedTables& tables) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", pid));
  if (!text || text->empty()) return fail(ErrorKind::gone, fmt::format("process {} has ended", pid));
  VictimCode code;
  for (const MapsEntry& entry : parse_maps(*text)) {
    code.mappings_.push_back({entry.start, entry.end});
    if (!entry.is_executable || entry.path == "[vsyscall]") continue;
    const ModuleFile* file = files.of(pid, entry);
    if (file == nullptr) {
      code.pieces_.push_back({entry.start, entry.end, {}, false});
      continue;
    }
    auto bias = load_bias(file->segments, entry.start, entry.offset);
    code.add_module(entry, *file, bias ? *bias : entry.start - entry.offset, tables);
  }
  const LibcEntries& libc = code.libc_;
  if (code.libc_path_.empty())
    return fail(ErrorKind::unsupported,
                "there is no glibc in it that could be read (another libc, or its file was replaced since it started)");
  if (libc.dlopen == 0 || libc.dlclose == 0 || libc.mmap == 0 || libc.munmap == 0 || libc.errno_offset == 0 ||
      libc.sigreturn == 0) {
    return fail(ErrorKind::unsupported, fmt::format("its libc ({}) is not as expected: it takes glibc 2.34 or newer",
                                                    printable(code.libc_path_)));
  }
  std::ranges::sort(code.sites_, {}, &Site::start);
  return code;
}

const VictimCode::Piece* VictimCode::piece_at(uint64_t pc) const {
  auto after = std::ranges::upper_bound(pieces_, pc, {}, &Piece::start);
  if (after == pieces_.begin()) return nullptr;
  const Piece& piece = *std::prev(after);
  return pc < piece.end ? &piece : nullptr;
}

std::optional<UnwindCode> VictimCode::unwind_code_at(uint64_t pc) const {
  const Piece* piece = piece_at(pc);
  return piece == nullptr ? std::nullopt : std::optional(piece->unwind);
}

bool VictimCode::is_delicate(uint64_t pc, bool waits) const {
  auto covers = [&](const Range& range) { return pc >= range.start && pc < range.end; };
  return std::ranges::any_of(delicate_, covers) || (!waits && std::ranges::any_of(delicate_while_running_, covers));
}

bool VictimCode::is_programs_own(uint64_t pc) const {
  const Piece* piece = piece_at(pc);
  return piece != nullptr && !piece->is_system;
}

uint64_t VictimCode::end_of_mapping(uint64_t address) const {
  auto after = std::ranges::upper_bound(mappings_, address, {}, &Range::start);
  if (after == mappings_.begin()) return 0;
  const Range& range = *std::prev(after);
  return address < range.end ? range.end : 0;
}

}  // namespace culprit
