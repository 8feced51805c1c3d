// A stopped thread of another process that calls functions there for us, and is given back as it was: registers, vector
// registers, signal mask, errno, and the system call it may have been in.
//
// At every moment the thread can also go on without us. Each call runs on top of two signal frames like the kernel's
// own and returns into rt_sigreturn. The inner frame unblocks a signal that waits for the thread, and so the call's end
// is reported to us; all others stay blocked. The outer frame holds the thread's state. Should culprit be killed in the
// middle, nobody hears of that signal (it is one that is ignored), the call ends, and the thread goes on where it was,
// as after a signal handler.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "target/ptrace_threads.h"
#include "target/victim_memory.h"

namespace culprit {

// Absolute addresses in the process.
struct LibcEntries {
  uint64_t dlopen = 0, dlclose = 0;
  uint64_t mmap = 0, munmap = 0;
  uint64_t errno_offset = 0;  // where it stands how far from its thread pointer a thread has errno
  uint64_t sigreturn = 0;     // `mov $15,%rax; syscall`
};

class BorrowedThread {
 public:
  // Of a thread that is stopped where borrowing is safe (capture/borrowing_check). On error it is as it was.
  static Result<BorrowedThread> borrow(TracedThread& thread, uint32_t pid, VictimMemory& memory,
                                       const LibcEntries& entries);
  BorrowedThread(BorrowedThread&&) = default;

  // Scratch memory of the process for arguments, until the thread is given back.
  static constexpr uint64_t scratch_size = 65536;
  uint64_t scratch() const { return stack_; }

  // Calls a function there. Errors: limit (somebody holds the lock that it needs first: it was made to give up, and may
  // be called again later), system (it takes too long, and the thread is left to finish it; or it crashed, and the
  // thread is taken out of it), gone. After an error there is nothing to give back.
  using Arguments = std::array<uint64_t, 6>;
  Result<void> call(uint64_t function, const Arguments& arguments, Time patience);

  Result<void> give_back();

 private:
  BorrowedThread(TracedThread& thread, uint32_t pid, VictimMemory& memory, const LibcEntries& entries)
      : thread_(&thread), pid_(pid), memory_(&memory), entries_(entries) {}

  Result<void> save();
  Result<void> make_stack();
  void release_stack();
  void restore();

  // One call. Each stop of the thread may cost a wait for a CPU, so that no more is followed than is wanted.
  enum class Follow : uint8_t {
    nothing,
    first_lock,    // whether the first system call waits for a lock, until it has it
    first_result,  // the result of the first system call
  };
  struct FirstSystemCall {
    Follow follow = Follow::nothing;
    bool is_entered = false, is_over = false;
    uint64_t number = 0;
    int64_t result = 0;
  };
  Result<void> start(uint64_t function, const Arguments& arguments, uint64_t stack_top, Follow follow);
  uint64_t write_frames(uint64_t stack_top);
  Result<void> run(Time deadline);
  Result<void> note_system_call();
  bool waits_for_lock() const;
  bool has_returned();
  bool has_crashed() const;
  Result<void> crashed();
  Result<void> bring_to_stop();
  bool still_waits_for_lock() const;
  Result<void> give_up_waiting();

  TracedThread* thread_;
  uint32_t pid_;
  VictimMemory* memory_;
  LibcEntries entries_;
  user_regs_struct registers_{};
  std::vector<std::byte> vectors_;
  uint64_t signal_mask_ = 0;
  uint64_t errno_at_ = 0;
  int32_t errno_ = 0;
  uint64_t stack_ = 0;
  FirstSystemCall first_;
  bool owes_signal_ = false;  // one of the process's own was taken for ours
};

}  // namespace culprit
