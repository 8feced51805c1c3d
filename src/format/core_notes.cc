#include "format/core_notes.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "format/elf_notes.h"

namespace culprit {

namespace {

// struct elf_prstatus (include/linux/elfcore.h): siginfo of 12 bytes, pr_cursig, two masks, four ids, four times, then
// the registers and pr_fpvalid.
constexpr size_t status_size = 336, status_signal = 12, status_tid = 32, status_times = 48, status_registers = 112;
// struct elf_prpsinfo.
constexpr size_t process_size = 136, process_ids = 16, process_name = 40, process_name_size = 16,
                 process_arguments_size = 80;
// siginfo_t (include/uapi/asm-generic/siginfo.h): three ints, four bytes of padding, then the union.
constexpr size_t signal_size = 128, signal_union = 16;
constexpr size_t most_wide_registers = 64 << 10;  // bytes; there are processors with 11 KB

// The union holds pid and uid where a process sent the signal, by kill, sigqueue, tgkill or a message queue.
bool has_sender(int32_t code) { return code == SI_USER || code == SI_QUEUE || code == SI_TKILL || code == SI_MESGQ; }

// The union holds an address where the processor found the fault. A general protection fault has none: SI_KERNEL.
bool has_fault_address(int32_t signal, int32_t code) {
  bool is_fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
  return is_fault && code > 0 && code != SI_KERNEL;
}

// siginfo_t::si_syscall, behind the address of the instruction. seccomp alone sends SIGSYS so (SYS_SECCOMP).
bool has_system_call(int32_t signal, int32_t code) { return signal == SIGSYS && code == 1; }

std::string_view up_to_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

class NoteReader {
 public:
  explicit NoteReader(CoreNotes& notes) : notes_(notes) {}

  void add(const ElfNote& note) {
    if (note.name == "LINUX" && note.type == note_wide_registers) add_wide_registers(note.description);
    if (note.name != "CORE") return;
    bool is_good = true;
    switch (note.type) {
      case note_status:
        is_good = add_thread(note.description);
        break;
      case note_process:
        is_good = add_process(note.description);
        break;
      case note_signal:
        is_good = add_signal(note.description);
        break;
      case note_files:
        is_good = add_files(note.description);
        break;
      case note_auxiliary_vector:
        add_auxiliary(note.description);
        break;
      case note_floating_point:
        if (!notes_.threads.empty()) notes_.threads.back().has_floating_point = true;
        add_wide_registers(note.description);
        break;
      default:
        break;
    }
    if (!is_good) ++notes_.damaged;
  }

 private:
  bool add_thread(Bytes status) {
    if (status.size() != status_size) return false;
    CoreThread thread;
    thread.signal = ByteReader(status, status_signal).take<int16_t>();
    thread.tid = ByteReader(status, status_tid).take<uint32_t>();
    ByteReader times(status, status_times);  // user and system, each in seconds and microseconds
    for (int i = 0; i < 2; ++i) {
      thread.cpu_microseconds += times.take<uint64_t>() * 1'000'000;
      thread.cpu_microseconds += times.take<uint64_t>();
    }
    std::memcpy(&thread.registers, status.data() + status_registers, sizeof thread.registers);
    notes_.threads.push_back(std::move(thread));
    return true;
  }

  // The larger of the two has all of the smaller one.
  void add_wide_registers(Bytes area) {
    if (notes_.threads.empty()) return;
    std::vector<uint64_t>& words = notes_.threads.back().wide_registers;
    const size_t count = std::min(area.size(), most_wide_registers) / sizeof(uint64_t);
    if (count <= words.size()) return;
    words.resize(count);
    std::memcpy(words.data(), area.data(), count * sizeof(uint64_t));
  }

  bool add_process(Bytes info) {
    if (info.size() != process_size || notes_.process) return false;
    notes_.is_by_kernel = !notes_.threads.empty();
    CoreProcess process{.state = static_cast<char>(info[1])};
    ByteReader reader(info, process_ids);
    process.uid = reader.take<uint32_t>();
    process.gid = reader.take<uint32_t>();
    process.pid = reader.take<uint32_t>();
    process.parent = reader.take<uint32_t>();
    reader.seek(process_name);
    process.name = up_to_nul(as_text(reader.take_bytes(process_name_size)));
    process.arguments = up_to_nul(as_text(reader.take_bytes(process_arguments_size)));
    process.arguments_are_cut = process.arguments.size() + 1 >= process_arguments_size;
    // The kernel makes blanks of the NULs between the arguments, and of the last one.
    while (process.arguments.ends_with(' ')) process.arguments.remove_suffix(1);
    notes_.process = process;
    return true;
  }

  bool add_signal(Bytes info) {
    auto signal = parse_signal_info(info);
    if (!signal || notes_.threads.empty()) return false;
    notes_.threads.back().signal_info = signal;
    return true;
  }

  // count, page size, then start, end and offset in pages of each, then all paths, each with its NUL.
  bool add_files(Bytes table) {
    ByteReader reader(table);
    auto claimed = reader.take<uint64_t>();
    auto page = reader.take<uint64_t>();
    uint64_t count = reader.take_count(claimed, 3 * sizeof(uint64_t));
    if (!reader || page == 0) return false;
    ByteReader paths(table, reader.position() + count * 3 * sizeof(uint64_t));
    for (uint64_t i = 0; i < count; ++i) {
      CoreFileRange range{.start = reader.take<uint64_t>()};
      range.end = reader.take<uint64_t>();
      auto page_offset = reader.take<uint64_t>();
      range.path = paths.take_c_string();
      if (!paths) return false;
      if (range.end <= range.start || page_offset > UINT64_MAX / page) return false;
      range.offset = page_offset * page;
      notes_.files.push_back(range);
    }
    return true;
  }

  void add_auxiliary(Bytes vector) {
    CoreAuxiliary& known = notes_.auxiliary;
    const std::pair<uint64_t, uint64_t*> wanted[] = {{3, &known.program_headers}, {5, &known.program_header_count},
                                                     {7, &known.loader_base},     {9, &known.entry},
                                                     {31, &known.program_path},   {33, &known.vdso}};
    for (ByteReader reader(vector); reader && reader.remaining() >= 2 * sizeof(uint64_t);) {
      auto type = reader.take<uint64_t>();
      auto value = reader.take<uint64_t>();
      if (type == 0) break;
      for (auto [number, into] : wanted)
        if (number == type) *into = value;
    }
  }

  CoreNotes& notes_;
};

}  // namespace

std::optional<CoreSignal> parse_signal_info(Bytes info) {
  if (info.size() != signal_size) return {};
  ByteReader reader(info);
  CoreSignal signal;
  signal.number = reader.take<int32_t>();
  reader.skip(sizeof(int32_t));  // si_errno
  signal.code = reader.take<int32_t>();
  reader.seek(signal_union);
  if (has_fault_address(signal.number, signal.code)) {
    signal.fault_address = reader.take<uint64_t>();
  } else if (has_sender(signal.code)) {
    CoreSender sender{.pid = reader.take<uint32_t>()};
    sender.uid = reader.take<uint32_t>();
    signal.sender = sender;
  } else if (has_system_call(signal.number, signal.code)) {
    reader.skip(sizeof(uint64_t));
    signal.system_call = reader.take<uint32_t>();
  }
  return signal;
}

void add_core_notes(Bytes segment, uint64_t alignment, CoreNotes& notes) {
  NoteReader reader(notes);
  for (const ElfNote& note : parse_notes(segment, alignment)) reader.add(note);
}

}  // namespace culprit
