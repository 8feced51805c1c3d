#include "target/elf_core.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "format/core_outline.h"
#include "model/signals.h"
#include "target/core_file.h"
#include "target/core_modules.h"
#include "target/signal_facts.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t most_microseconds = uint64_t{1} << 52;  // whatever a note says

// What a system call that is broken off returns within the kernel (include/linux/errno.h): it would be begun again, or
// give EINTR. So the thread was blocked in it.
bool is_broken_off(uint64_t result) {
  constexpr int64_t interrupted = -4, restart_first = -516, restart_last = -512;
  auto value = static_cast<int64_t>(result);
  return value == interrupted || (value >= restart_first && value <= restart_last && value != -515);
}

TargetThread as_target_thread(const CoreThread& thread) {
  const Registers& r = thread.registers;
  TargetThread made{
      .tid = thread.tid, .known = RegistersKnown::all, .registers = r, .wide_registers = thread.wide_registers};
  if (static_cast<int64_t>(r.orig_rax) >= 0 && is_broken_off(r.rax))
    made.blocked_in = BlockingCall{.number = r.orig_rax, .arguments = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
  return made;
}

class ElfCore final : public Target {
 public:
  ElfCore(const ElfFile& elf, CoreSource source) : segments_(elf.segments) {
    info_.kind = TargetKind::core;
    info_.name = source.name;
    for (const ElfSegment& segment : elf.segments)
      if (segment.type == elf::segment_note) add_notes(elf.data_of(segment), segment);
    add_memory(elf, source.incomplete);
    modules_ = find_core_modules(notes_, segments_, memory_, source.places);
    memory_.add(std::move(modules_.pieces));
    add_threads();
    add_info();
    add_mappings();
  }

  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish) override { return threads_; }
  MemoryReader& stack_memory(const TargetThread&) override { return memory_; }
  MemoryReader& memory() override { return memory_; }
  const std::vector<TargetMapping>& mappings() override { return mappings_; }
  const std::vector<TargetModule>& modules() override { return modules_.modules; }

  void keep(Mapping mapping) { mapping_ = std::move(mapping); }

 private:
  void add_notes(Bytes notes, const ElfSegment& segment) {
    add_core_notes(notes, segment.alignment, notes_);
    if (notes.size() < segment.file_size) ++notes_.damaged;  // the file ends within
  }

  void add_memory(const ElfFile& elf, const std::string& incomplete) {
    std::vector<CorePiece> pieces;
    uint64_t missing = 0;
    for (const ElfSegment& load : segments_.all()) {
      Bytes data = elf.data_of(load);
      pieces.push_back({load.address, data});
      missing += (load.file_size - data.size() + page - 1) / page;
    }
    memory_.add(std::move(pieces));
    if (missing != 0 || !incomplete.empty())
      info_.losses.push_back({LossKind::memory_missing, std::max<uint64_t>(missing, 1), {}, incomplete});
  }

  void add_threads() {
    for (const CoreThread& thread : notes_.threads) threads_.push_back(as_target_thread(thread));
    if (!threads_.empty()) threads_.front().signal = notes_.threads.front().signal;
    std::ranges::stable_sort(threads_, {}, &TargetThread::tid);
    auto repeated = std::ranges::unique(threads_, {}, &TargetThread::tid);
    uint64_t lost = notes_.damaged + repeated.size() + (threads_.empty() ? 1 : 0);
    threads_.erase(repeated.begin(), repeated.end());
    if (lost != 0) info_.losses.push_back({LossKind::threads_missing, lost, {}, {}});
    // The kernel stores one name, that of the main thread.
    for (TargetThread& thread : threads_)
      if (notes_.process && notes_.is_by_kernel && thread.tid == notes_.process->pid)
        thread.name = notes_.process->name;
  }

  void add_info() {
    info_.executable = modules_.program;
    std::ranges::move(modules_.losses, std::back_inserter(info_.losses));
    if (notes_.process) {
      info_.pid = notes_.process->pid;
      info_.command = notes_.process->arguments;
      if (notes_.process->arguments_are_cut) info_.command += "…";
    }
    if (notes_.threads.empty()) return;
    for (const CoreThread& thread : notes_.threads)
      if (notes_.is_by_kernel && thread.tid == info_.pid)
        info_.cpu_time = static_cast<Time>(std::min<uint64_t>(thread.cpu_microseconds, most_microseconds) * 1000);
    const CoreThread& first = notes_.threads.front();
    info_.signal = first.signal;
    // gcore of a healthy process stores the SIGSTOP by which gdb stopped it.
    if (first.signal == 0) return;
    info_.signal_tid = first.tid;
    if (!first.signal_info || first.signal_info->number != first.signal) return;
    tell_signal(info_, *first.signal_info);
  }

  // What the core lists, and of files what it does not list.
  void add_mappings() {
    mappings_ = std::move(modules_.mappings);
    size_t files = mappings_.size();
    size_t next = 0;
    uint64_t done = 0;
    for (const ElfSegment& load : segments_.all()) {
      uint64_t from = std::max(load.address, done), end = CoreSegments::end_of(load);
      done = std::max(done, end);
      while (next < files && mappings_[next].end <= from) ++next;
      for (size_t i = next; i < files && mappings_[i].start < end; ++i) {
        if (from < mappings_[i].start) add_mapping(load, from, mappings_[i].start);
        from = std::max(from, mappings_[i].end);
      }
      if (from < end) add_mapping(load, from, end);
    }
    std::ranges::stable_sort(mappings_, {}, &TargetMapping::start);
  }

  void add_mapping(const ElfSegment& load, uint64_t start, uint64_t end) {
    TargetMapping mapping{.start = start,
                          .end = end,
                          .is_readable = (load.flags & elf::segment_readable) != 0,
                          .is_writable = (load.flags & elf::segment_writable) != 0,
                          .is_executable = (load.flags & elf::segment_executable) != 0};
    // The kernel puts the path by which the program was started at the outer end of the main thread's stack.
    uint64_t path = notes_.auxiliary.program_path;
    if (path != 0 && start <= path && path < end) mapping.path = "[stack]";
    mappings_.push_back(std::move(mapping));
  }

  Mapping mapping_;
  CoreSegments segments_;
  CoreNotes notes_;
  CoreMemory memory_;
  CoreModules modules_;
  TargetInfo info_;
  std::vector<TargetThread> threads_;
  std::vector<TargetMapping> mappings_;
};

// "the core of a 32-bit i386 program (sleep, pid 17, ended by SIGSEGV)"
std::string outline_words(const CoreOutline& outline) {
  std::vector<std::string> facts;
  if (!outline.name.empty()) facts.push_back(printable(outline.name));
  if (outline.pid != 0) facts.push_back(fmt::format("pid {}", outline.pid));
  if (outline.signal != 0) facts.push_back("ended by " + signal_name(outline.signal));
  std::string words = fmt::format("the core of a {}-bit {} program", outline.is_64_bit ? 64 : 32, outline.architecture);
  return facts.empty() ? words : fmt::format("{} ({})", words, fmt::join(facts, ", "));
}

// Why the bytes are not a core that can be read.
std::optional<Error> refusal(Bytes bytes, const CoreSource& source) {
  const std::string& name = source.name;
  if (bytes.empty() && !source.incomplete.empty())
    return Error{ErrorKind::corrupt, fmt::format("nothing of {} can be decompressed: {}", name, source.incomplete), 0};
  if (bytes.empty())
    return Error{ErrorKind::corrupt, name + " is empty: the disk was full, or ulimit -c too small, when it was written",
                 0};
  auto outline = outline_core(bytes);
  if (!outline)
    return Error{outline.error().kind, fmt::format("{} is no core file: {}", name, outline.error().what), 0};
  if (!outline->is_core) return Error{ErrorKind::usage, name + " is a program or library, and not the core of one", {}};
  if (!outline->is_64_bit || outline->architecture != "x86-64")
    return Error{
        ErrorKind::unsupported,
        fmt::format("{} is {}; only those of x86-64 programs can be asked here, gdb-multiarch reads the others", name,
                    outline_words(*outline)),
        {}};
  return {};
}

Result<std::unique_ptr<ElfCore>> make_core(Bytes bytes, CoreSource source) {
  if (auto error = refusal(bytes, source)) return tl::unexpected<Error>(std::move(*error));
  auto elf = parse_elf(bytes);
  if (!elf) return fail(elf.error().kind, fmt::format("{} is no core file: {}", source.name, elf.error().what));
  if (std::ranges::none_of(elf->segments, &ElfSegment::is_load))
    return fail(ErrorKind::corrupt,
                source.name + " is cut off before the list of its memory: nothing can be read from it");
  return std::make_unique<ElfCore>(*elf, std::move(source));
}

}  // namespace

Result<std::unique_ptr<Target>> open_core_bytes(Bytes bytes, CoreSource source) {
  return make_core(bytes, std::move(source));
}

Result<std::unique_ptr<Target>> open_core(const std::string& path, const std::string& executable) {
  auto file = read_core_file(path);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  // Symbols are looked up by absolute paths.
  auto absolute = [](const std::string& name) {
    std::error_code none;
    return name.empty() ? name : std::filesystem::absolute(name, none).lexically_normal().string();
  };
  std::string folder = absolute(path);
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  CoreSource source{.name = path,
                    .places = {.executable = absolute(executable), .core_folder = folder},
                    .incomplete = std::move(file->incomplete)};
  auto core = make_core(file->mapping.bytes(), std::move(source));
  if (!core) return tl::unexpected<Error>(std::move(core).error());
  (*core)->keep(std::move(file->mapping));
  return core;
}

}  // namespace culprit
