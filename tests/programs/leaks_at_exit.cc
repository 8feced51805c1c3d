// Loses blocks in known ways, and keeps others in ways that are no leaks. Also built with LeakSanitizer in it
// (leaks_at_exit_sanitized), whose verdict is the second opinion.
//
//   leaks_at_exit WAY…       direct, list, ring, overwritten, container, thread: a leak of its own size each
//                            kept, static_kept, tls, deep_exit, other_thread, interior: nothing is leaked
//   leaks_at_exit … END      abort, raw: how it ends; otherwise it returns from main
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <list>
#include <string>
#include <thread>
#include <vector>

namespace {

#define APART __attribute__((noinline, noclone))

struct Node {
  Node* next;
  char rest[56];
};

// Where the compiler cannot tell that nobody looks, and no pointer is left.
template <typename Pointer>
APART void lose(Pointer* pointer) {
  *reinterpret_cast<volatile char*>(pointer) = 1;
}

// What earlier calls left on the stack and in registers.
APART void wipe_stack() {
  volatile char old[16384];
  for (volatile char& each : old) each = 0;
  // The registers that a called function must keep may still hold a pointer.
  asm volatile("xor %%ebx, %%ebx; xor %%r12d, %%r12d; xor %%r13d, %%r13d; xor %%r14d, %%r14d; xor %%r15d, %%r15d" ::
                   : "rbx", "r12", "r13", "r14", "r15");
}

APART void lose_direct() {
  for (int i = 0; i < 10; ++i) lose(malloc(100));
}

APART Node* new_list(int length, Node* last) {
  Node* first = last;
  for (int i = 0; i < length; ++i) {
    Node* node = static_cast<Node*>(malloc(sizeof(Node)));
    node->next = first;
    first = node;
  }
  return first;
}
APART void lose_list() { lose(new_list(20, nullptr)->rest); }

APART void lose_ring() {
  Node* last = static_cast<Node*>(malloc(sizeof(Node)));
  last->next = new_list(4, last);
  lose(last->rest);
}

void* volatile overwritten;
APART void lose_overwritten() {
  for (int i = 0; i < 6; ++i) overwritten = malloc(300);  // only the last one is still known
}

APART void lose_container() { lose(new std::list<std::string>(7, std::string(200, 'x'))); }

APART void* thread_body(void*) {
  lose(malloc(700));
  wipe_stack();
  return nullptr;
}
APART void lose_in_thread() {
  pthread_t thread;
  pthread_create(&thread, nullptr, thread_body, nullptr);
  pthread_join(thread, nullptr);
}

Node* volatile global_list;
APART void keep() { global_list = new_list(30, nullptr); }

APART void keep_static() {
  static std::vector<std::string> names(5, std::string(500, 'n'));
  lose(names.back().data());
}

thread_local void* volatile of_thread;
APART void keep_in_tls() { of_thread = malloc(900); }

char* volatile inside;
APART void keep_by_interior() { inside = static_cast<char*>(malloc(1000)) + 500; }

// As main never returns, its variables live.
APART void exit_from_below() {
  void* volatile block = malloc(1100);
  lose(block);
  exit(0);
}

sem_t waiting;
APART void wait_for_ever() {
  void* volatile block = malloc(1200);
  lose(block);
  sem_post(&waiting);
  for (;;) pause();
}
APART void keep_in_other_thread() {
  sem_init(&waiting, 0, 0);
  std::thread(wait_for_ever).detach();
  while (sem_wait(&waiting) != 0) continue;
}

struct Way {
  const char* name;
  void (*run)();
};
constexpr Way ways[] = {
    {"direct", lose_direct},
    {"list", lose_list},
    {"ring", lose_ring},
    {"overwritten", lose_overwritten},
    {"container", lose_container},
    {"thread", lose_in_thread},
    {"kept", keep},
    {"static_kept", keep_static},
    {"tls", keep_in_tls},
    {"interior", keep_by_interior},
    {"deep_exit", exit_from_below},
    {"other_thread", keep_in_other_thread},
    {"abort", [] { abort(); }},
    {"raw",
     [] {
       syscall(SYS_write, 1, "", 0);
       asm volatile("syscall" ::"a"(SYS_exit_group), "D"(0));
     }},
};

APART void run(const char* name) {
  for (const Way& way : ways)
    if (strcmp(way.name, name) == 0) return way.run();
  fprintf(stderr, "leaks_at_exit: what is %s?\n", name);
  exit(2);
}

}  // namespace

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    run(words[i]);
    wipe_stack();
  }
  return 0;
}
