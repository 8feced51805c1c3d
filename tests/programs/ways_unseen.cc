// Handles which come without a system call of libc that names them.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "ways.h"

namespace {

int raw_call(long number, long a, long b, long c, long d = 0) {
  register long fourth asm("r10") = d;
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

// A ring of the kernel's, driven by hand; kept open for ever.
class Ring {
 public:
  Ring() {
    io_uring_params parameters{};
    number_ = static_cast<int>(syscall(SYS_io_uring_setup, 4, &parameters));
    if (number_ < 0) return;
    size_t submissions = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    size_t completions = parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    submission_ = map(submissions, IORING_OFF_SQ_RING);
    completion_ = map(completions, IORING_OFF_CQ_RING);
    entries_ = reinterpret_cast<io_uring_sqe*>(map(parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    parameters_ = parameters;
  }

  int number() const { return number_; }

  // Submits one entry, waits, and gives its result: a number, or -1 and errno.
  int run(const io_uring_sqe& entry) {
    auto& tail = at<std::atomic<unsigned>>(submission_, parameters_.sq_off.tail);
    unsigned index = tail.load() & at<unsigned>(submission_, parameters_.sq_off.ring_mask);
    entries_[index] = entry;
    at<unsigned>(submission_, parameters_.sq_off.array + index * sizeof(unsigned)) = index;
    tail.store(tail.load() + 1, std::memory_order_release);
    if (syscall(SYS_io_uring_enter, number_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) < 0) return -1;
    auto& head = at<std::atomic<unsigned>>(completion_, parameters_.cq_off.head);
    unsigned position = head.load() & at<unsigned>(completion_, parameters_.cq_off.ring_mask);
    int result = at<io_uring_cqe>(completion_, parameters_.cq_off.cqes + position * sizeof(io_uring_cqe)).res;
    head.store(head.load() + 1, std::memory_order_release);
    if (result >= 0) return result;
    errno = -result;
    return -1;
  }

 private:
  char* map(size_t size, off_t what) {
    void* place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, number_, what);
    return static_cast<char*>(place);
  }
  template <typename T>
  static T& at(char* base, size_t offset) {
    return *reinterpret_cast<T*>(base + offset);
  }

  int number_ = -1;
  io_uring_params parameters_{};
  char* submission_ = nullptr;
  char* completion_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
};

io_uring_sqe open_entry(const char* path, uint8_t flags) {
  io_uring_sqe entry{};
  entry.opcode = IORING_OP_OPENAT;
  entry.fd = AT_FDCWD;
  entry.addr = reinterpret_cast<uint64_t>(path);
  entry.open_flags = O_RDONLY;
  entry.flags = flags;
  return entry;
}

// Answers the one call that waits at `listener` by putting `source` into the caller's table; -1 if that cannot be done.
int answer_with_handle(int listener, int source) {
  seccomp_notif request{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return -1;
  seccomp_notif_addfd addition{};
  addition.id = request.id;
  addition.srcfd = static_cast<uint32_t>(source);
  int result = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addition);
  seccomp_notif_resp response{};
  response.id = request.id;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  return result;
}

// From here on getppid() of this thread asks the listener; gives the listener's number.
int listen_for_getppid() {
  sock_filter filter[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getppid},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  sock_fprog program{4, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

}  // namespace

WAY(raw_openat) {
  made(raw_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/etc/hostname"), O_RDONLY), Origin::unseen);
}
WAY(raw_dup) { made(raw_call(SYS_dup, 2, 0, 0), Origin::unseen); }
WAY(raw_eventfd) { made(raw_call(SYS_eventfd2, 0, 0, 0), Origin::unseen); }
WAY(io_uring_setup) {
  Ring ring;
  made(ring.number());
}
WAY(io_uring_openat) {
  Ring ring;
  if (made(ring.number()) >= 0) made(ring.run(open_entry("/etc/passwd", 0)), Origin::unseen);
}
WAY(io_uring_openat_by_worker) {
  Ring ring;
  if (made(ring.number()) >= 0) made(ring.run(open_entry("/etc/group", IOSQE_ASYNC)), Origin::unseen);
}
WAY(io_uring_socket) {
  Ring ring;
  if (made(ring.number()) < 0) return;
  io_uring_sqe entry{};
  entry.opcode = 45;  // IORING_OP_SOCKET
  entry.fd = AF_INET;
  entry.off = SOCK_STREAM;
  made(ring.run(entry), Origin::unseen);
}
WAY(put_in_by_child) {
  // A child that shares the table opens by raw calls; what it leaves belongs to both.
  static int number;
  static char stack[65536];
  auto child_body = [](void*) {
    number = raw_call(SYS_eventfd2, 0, 0, 0);
    return 0;
  };
  int child = clone(child_body, stack + sizeof stack, CLONE_FILES | CLONE_VM | SIGCHLD, nullptr);
  if (child < 0 || waitpid(child, nullptr, 0) < 0) return;
  made(number, Origin::unseen);
}
WAY(seccomp_listener) {
  // In a thread of its own: the filter ends with the thread.
  int listener = -1;
  std::thread([&listener] { listener = listen_for_getppid(); }).join();
  made(listener);
}
WAY(seccomp_addfd) {
  int listener = -1, added = -1;
  std::atomic<bool> ready = false;
  std::thread caller([&] {
    listener = listen_for_getppid();
    ready = true;
    ready.notify_one();
    if (listener >= 0) syscall(SYS_getppid);
  });
  ready.wait(false);
  if (listener >= 0) added = answer_with_handle(listener, 0);
  caller.join();
  if (made(listener) >= 0) made(added, Origin::unseen);
}

std::span<const Way> unseen_ways() {
  static const Way ways[] = {
      ROW(raw_openat),      ROW(raw_dup),         ROW(raw_eventfd),
      ROW(io_uring_setup),  ROW(io_uring_openat), ROW(io_uring_openat_by_worker),
      ROW(io_uring_socket), ROW(put_in_by_child), ROW(seccomp_listener),
      ROW(seccomp_addfd),
  };
  return ways;
}
