// Makes 3 handles, then a child that runs on its memory and makes 5, then 4 handles more.
//
//   lent_memory waits    until the child has ended (CLONE_VM and CLONE_VFORK)
//   lent_memory beside   both at the same time (CLONE_VM)
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define APART __attribute__((noinline))

namespace {

inline __attribute__((always_inline)) void make(int count) {
  while (count-- > 0) eventfd(0, EFD_CLOEXEC);
  asm volatile("");  // or the last call would be a jump, and who makes it not be on the stack
}

}  // namespace

extern "C" APART void made_before() { make(3); }
extern "C" APART int made_by_child(void*) {
  make(5);
  return 0;
}
extern "C" APART void made_afterwards() { make(4); }

int main(int count, char** words) {
  static char stack[1 << 16];
  const int waits = count > 1 && strcmp(words[1], "waits") == 0 ? CLONE_VFORK : 0;
  made_before();
  const int child = clone(made_by_child, stack + sizeof stack, CLONE_VM | waits | SIGCHLD, nullptr);
  if (child < 0 || waitpid(child, nullptr, 0) != child) return 1;
  made_afterwards();
  return 0;
}
