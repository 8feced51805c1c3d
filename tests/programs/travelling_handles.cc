// Handles that travel: among three processes over a socket and by pidfd_getfd, along a chain of programs, and through
// two lives of one pid.
//   travelling_handles pass        first makes three; second receives all, passes them on, forgets one; third receives
//                                  them, forgets two, and fetches one more from first
//   travelling_handles chain N     N times: makes one that exec keeps and one that exec closes, then executes itself
//   travelling_handles lives       two children with the same pid; says which, or "not reused"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::_Exit(9);
}

// So that its caller is on the stack while it calls.
int not_a_tail_call(int result) {
  asm volatile("" : "+r"(result));
  return result;
}

union Control {
  char bytes[CMSG_SPACE(sizeof(int))];
  cmsghdr header;
};

void send_handle(int socket, int handle) {
  char byte = 1;
  iovec text{&byte, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  control.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  std::memcpy(CMSG_DATA(&control.header), &handle, sizeof handle);
  expect(sendmsg(socket, &message, 0) == 1, "sendmsg");
}

int receive_handle(int socket) {
  char byte = 0;
  iovec text{&byte, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  expect(recvmsg(socket, &message, 0) == 1, "recvmsg");
  int handle = -1;
  std::memcpy(&handle, CMSG_DATA(&control.header), sizeof handle);
  return handle;
}

}  // namespace

extern "C" {
[[gnu::noinline]] int make_in_first() { return not_a_tail_call(eventfd(0, 0)); }
[[gnu::noinline]] int receive_in_second(int socket) { return not_a_tail_call(receive_handle(socket)); }
[[gnu::noinline]] int receive_in_third(int socket) { return not_a_tail_call(receive_handle(socket)); }
[[gnu::noinline]] int fetch_in_third(int process, int value) {
  return not_a_tail_call(static_cast<int>(syscall(SYS_pidfd_getfd, process, value, 0)));
}
[[gnu::noinline]] int close_in_second(int handle) { return not_a_tail_call(close(handle)); }
[[gnu::noinline]] int kept_by_exec() { return not_a_tail_call(eventfd(0, 0)); }
[[gnu::noinline]] int closed_by_exec() { return not_a_tail_call(eventfd(0, EFD_CLOEXEC)); }
[[gnu::noinline]] int leak_in_first_life() { return not_a_tail_call(eventfd(0, 0)); }
[[gnu::noinline]] int leak_in_second_life() { return not_a_tail_call(eventfd(0, 0)); }
}

namespace {

constexpr int handles = 3;

int second(int from_first, int to_third) {
  for (int i = 0; i < handles; i++) {
    int handle = receive_in_second(from_first);
    send_handle(to_third, handle);
    if (i > 0) expect(close_in_second(handle) == 0, "close");
  }
  return 0;
}

int third(int from_second, pid_t first, int value_there) {
  for (int i = 0; i < handles; i++) {
    int handle = receive_in_third(from_second);
    if (i == 0) close(handle);
  }
  int process = static_cast<int>(syscall(SYS_pidfd_open, first, 0));
  expect(process >= 0, "pidfd_open");
  expect(fetch_in_third(process, value_there) >= 0, "pidfd_getfd");
  return 0;
}

int pass() {
  int to_second[2], to_third[2];
  expect(socketpair(AF_UNIX, SOCK_STREAM, 0, to_second) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, to_third) == 0,
         "socketpair");
  const pid_t first = getpid();
  pid_t others[2];
  const int last = make_in_first();  // before the forks: both inherit it, and third fetches it once more
  if ((others[0] = fork()) == 0) std::_Exit(second(to_second[1], to_third[0]));
  if ((others[1] = fork()) == 0) std::_Exit(third(to_third[1], first, last));
  for (int i = 0; i < handles; i++) {
    int handle = make_in_first();
    send_handle(to_second[0], handle);
    close(handle);
  }
  int worst = 0;
  for (pid_t other : others) {
    int status = 0;
    expect(waitpid(other, &status, 0) == other, "waitpid");
    worst |= status;
  }
  return worst == 0 ? 0 : 9;
}

int chain(char** arguments, int left) {
  if (left == 0) return 0;
  kept_by_exec();
  closed_by_exec();
  std::string next = std::to_string(left - 1);
  execl("/proc/self/exe", arguments[0], "chain", next.c_str(), nullptr);
  expect(false, "execl");
  return 9;
}

pid_t live(int (*leak)(), int times) {
  pid_t child = fork();
  if (child == 0) {
    while (times-- > 0) leak();
    std::_Exit(0);
  }
  expect(waitpid(child, nullptr, 0) == child, "waitpid");
  return child;
}

// The next pid is the lowest free one after the last: which the privileged may set. Others may be quicker.
int lives() {
  for (int round = 0; round < 200; round++) {
    const pid_t before = live(leak_in_first_life, 1);
    const int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (last < 0) break;
    const std::string text = std::to_string(before - 1);
    const bool is_set = write(last, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(last);
    if (!is_set) break;
    if (live(leak_in_second_life, 2) != before) continue;
    std::printf("%d\n", static_cast<int>(before));
    return 0;
  }
  std::puts("not reused");
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "pass") return pass();
  if (what == "chain" && count > 2) return chain(arguments, std::atoi(arguments[2]));
  if (what == "lives") return lives();
  return 2;
}
