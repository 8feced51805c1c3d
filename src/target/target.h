// What questions are asked of: a live process, or the core of a dead one. The same five things of each: threads,
// memory, modules, handles, and why it stopped.
//
// Not thread-safe. What a target hands out stays valid as long as the target. All strings are foreign: show them
// through printable().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/elf.h"
#include "model/ids.h"
#include "model/loss.h"
#include "model/memory_reader.h"
#include "model/module.h"
#include "model/registers.h"

namespace culprit {

// How much of a thread's registers is known.
enum class RegistersKnown : uint8_t {
  none,        // it was gone, or ran and was not stopped
  stack_only,  // rip, rsp, and of a system call its number and arguments: a blocked thread that was not stopped
  all,
};

// A system call that a thread is blocked in.
struct BlockingCall {
  uint64_t number = 0;
  std::array<uint64_t, 6> arguments{};

  bool operator==(const BlockingCall&) const = default;
};

struct TargetThread {
  uint32_t tid = 0;
  std::string name;  // as the kernel has it, at most 15 bytes; empty: unknown (cores made by the kernel)
  char state = '?';  // of /proc/PID/task/TID/stat, or of the core's pr_sname
  RegistersKnown known = RegistersKnown::none;
  Registers registers;
  // What else a processor keeps, vector registers above all, as XSAVE lays it out: words that may be pointers. Only of
  // hold_still() and of cores.
  std::vector<uint64_t> wide_registers;
  std::optional<BlockingCall> blocked_in;  // nothing: it runs, or that cannot be known
  int32_t signal = 0;                      // it was about to get, or died of; 0: none
  Time stopped_for = 0;                    // how long we kept it standing; 0: not at all
  std::string unknown_because;             // why no more is known, one sentence; empty: there is nothing to say
};

// A piece of the address space.
struct TargetMapping {
  uint64_t start = 0, end = 0;
  uint64_t offset = 0;  // in the file
  std::string path;     // empty: anonymous; "[stack]", "[heap]", "[vdso]" …
  bool is_readable = false, is_writable = false, is_executable = false, is_shared = false;
  bool is_deleted = false;  // the file is
};

// A mapped ELF file.
struct TargetModule {
  Module module;                // path as the target sees it, and build id
  std::string opened_path;      // where we read it; empty: it is no file ("[vdso]", all of which is in memory), or is
                                // not to be had (then `missing` says why)
  uint64_t start = 0, end = 0;  // from its first mapping to its last, and the variables behind that
  uint64_t bias = 0;            // absolute minus link-time address
  std::vector<ElfSegment> segments;
  std::string missing;
};

enum class TargetKind : uint8_t { live, core };

struct TargetInfo {
  TargetKind kind = TargetKind::live;
  std::string name;      // as the user called it: a pid, a path
  bool is_held = false;  // live, and nothing of it moves as long as this target is there
  uint32_t pid = 0;
  std::string executable;  // path of the program's file; empty: unknown
  std::string command;     // arguments joined by blanks
  // Of a core: what it died of.
  int32_t signal = 0;                       // 0: none (gcore of a healthy process)
  uint32_t signal_tid = 0;                  // the thread that died of it
  uint64_t fault_address = 0;               // of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, if `signal_code` says so
  int32_t signal_code = 0;                  // si_code
  uint32_t sender_pid = 0, sender_uid = 0;  // of a signal that somebody sent
  std::optional<uint32_t> refused_call;     // of SIGSYS: the system call's number
  std::optional<Time> cpu_time;             // that it had used; nothing: unknown
  std::vector<Loss> losses;  // what is missing from the source as a whole (truncated core, missing files)
};

// How much a question needs of the threads.
enum class ThreadWish : uint8_t {
  names_and_waits,  // nothing is stopped: names, states, blocking calls
  stacks,           // and what unwinding needs: blocked threads are not stopped, running ones for a moment
  registers,        // all registers of all threads
};

struct AddressRange {
  uint64_t start = 0, end = 0;

  bool operator==(const AddressRange&) const = default;
};

// What of a piece of the address space has content: what was never touched has none.
struct PresentPages {
  std::vector<AddressRange> ranges;  // ascending, apart from each other
  std::optional<uint64_t> resident;  // bytes that are in memory now, and not swapped out; nothing: not known
};

using LookAtThreads = std::function<void(std::span<const TargetThread>)>;

class Target {
 public:
  virtual ~Target() = default;

  virtual const TargetInfo& info() const = 0;
  // Ascending by tid. Of a live process: as it is now, each time. The memory that unwinding a thread's stack needs was
  // copied while the thread stood where its registers say, and is what stack_memory() reads.
  virtual Result<std::vector<TargetThread>> threads(ThreadWish wish) = 0;
  // Only those of them with one of these ids: of a live process, no other thread is looked at, or stopped.
  virtual Result<std::vector<TargetThread>> some_threads(ThreadWish wish, std::span<const uint32_t> tids);
  // Threads of the last threads() or some_threads() of which only the stack is known, and their stacks, are taken anew
  // with all registers, which stops each for a moment. What cannot be taken stays as it is, and says why.
  virtual void complete(std::span<TargetThread* const>) {}
  // Calls `look` while no thread runs, with all of them and all their registers: then memory() and mappings() are of
  // one moment. An error, and no call: limit (they did not all stop), gone, no_access. Here, of what never runs.
  virtual Result<void> hold_still(const LookAtThreads& look);
  // The stack of a thread as of the last of these, and what does not change from memory().
  virtual MemoryReader& stack_memory(const TargetThread& thread) = 0;
  // All of the address space. Of a live process as it is at that moment.
  virtual MemoryReader& memory() = 0;
  virtual const std::vector<TargetMapping>& mappings() = 0;  // ascending; valid until the next threads()
  virtual const std::vector<TargetModule>& modules() = 0;    // ascending by start
  // Of a live process as it is at that moment. Here: all of it.
  virtual PresentPages present_pages(AddressRange of) { return {.ranges = {of}}; }
  // The longest time so far that a thread of the target stood still because of us.
  virtual Time longest_stop() const { return 0; }

  // The module whose mappings hold this address; null: none.
  const TargetModule* module_at(uint64_t address);
};

// A process by pid. gone, no_access (with the missing capability or the setting).
Result<std::unique_ptr<Target>> open_live_process(uint32_t pid);
// An ELF core file, also one compressed by zstd or lz4. `executable`: instead of the one it names; may be empty.
Result<std::unique_ptr<Target>> open_core(const std::string& path, const std::string& executable = "");

}  // namespace culprit
