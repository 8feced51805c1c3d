// What the notes of an ELF core say about the process, as the kernel (fs/binfmt_elf.c, fill_note_info) and gdb's gcore
// (gdb/linux-tdep.c, linux_make_corefile_notes) write them for x86-64. Bytes in, values out; views refer to the bytes,
// which must outlive them. All strings are foreign.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/registers.h"

namespace culprit {

inline constexpr uint32_t note_status = 1, note_floating_point = 2, note_process = 3, note_auxiliary_vector = 6,
                          note_signal = 0x53494749, note_files = 0x46494c45,  // "SIGI", "FILE"
    note_wide_registers = 0x202;                                              // NT_X86_XSTATE, by the name "LINUX"

struct CoreSender {
  uint32_t pid = 0, uid = 0;
};

// NT_SIGINFO: the siginfo_t of sigaction(2).
struct CoreSignal {
  int32_t number = 0, code = 0;
  std::optional<uint64_t> fault_address;  // of a fault, where the processor told it
  std::optional<CoreSender> sender;       // of a signal that a process sent
  std::optional<uint32_t> system_call;    // of SIGSYS: the one that was refused
};

// Of those 128 bytes; nothing: they are not as many.
std::optional<CoreSignal> parse_signal_info(Bytes info);

// NT_PRSTATUS, and what follows it up to the next one.
struct CoreThread {
  uint32_t tid = 0;
  int32_t signal = 0;  // the kernel writes the signal that ended the process into those of all threads
  Registers registers;
  uint64_t cpu_microseconds = 0;  // by the kernel: of the process's first thread, those of all threads together
  std::optional<CoreSignal> signal_info;
  bool has_floating_point = false;       // NT_FPREGSET is there
  std::vector<uint64_t> wide_registers;  // words of NT_X86_XSTATE; without it, of NT_FPREGSET, which is its beginning
};

// NT_PRPSINFO.
struct CoreProcess {
  uint32_t pid = 0, parent = 0, uid = 0, gid = 0;
  char state = '?';
  std::string_view name;       // by the kernel: of the main thread; by gcore: of the program's file
  std::string_view arguments;  // joined by blanks, without those at the end
  bool arguments_are_cut = false;
};

// NT_FILE: a piece of the address space that a file is mapped into.
struct CoreFileRange {
  uint64_t start = 0, end = 0;
  uint64_t offset = 0;    // in the file, in bytes
  std::string_view path;  // with the kernel's " (deleted)" at its end, if the file was
};

// Values of NT_AUXV (getauxval(3)); 0: not there.
struct CoreAuxiliary {
  uint64_t program_headers = 0, program_header_count = 0;  // AT_PHDR, AT_PHNUM
  uint64_t entry = 0, loader_base = 0, vdso = 0;           // AT_ENTRY, AT_BASE, AT_SYSINFO_EHDR
  uint64_t program_path = 0;                               // AT_EXECFN: address of the text
};

struct CoreNotes {
  std::vector<CoreThread> threads;  // in the order of the file: first the one that the signal came to
  std::optional<CoreProcess> process;
  std::vector<CoreFileRange> files;
  CoreAuxiliary auxiliary;
  bool is_by_kernel = true;  // it writes the first thread before the process, gdb the other way round
  uint64_t damaged = 0;      // notes, or lines of NT_FILE, that make no sense
};

// Adds what one PT_NOTE segment holds. `alignment`: its p_align.
void add_core_notes(Bytes segment, uint64_t alignment, CoreNotes& notes);

}  // namespace culprit
