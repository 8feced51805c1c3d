// Two processes, stuck with each other: locks_between MODE READY_FILE. The first one is who is asked.
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lock_victim.h"

struct Shared {
  pthread_mutex_t one, two;
  std::atomic<int> steps;
};
Shared* shared = nullptr;

void make_shared(int robust) {
  int file = memfd_create("locks", MFD_CLOEXEC);
  if (ftruncate(file, 4096) != 0) exit(3);
  shared = static_cast<Shared*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  close(file);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutex_init(&shared->one, &attributes);
  pthread_mutex_init(&shared->two, &attributes);
}

// Runs in the child for ever, which ends with its parent.
template <typename Work>
pid_t child(Work work) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  name_thread("child");
  work();
  for (;;) pause();
}

void announce_from_thread(const char* ready_file, pid_t other) {
  std::thread([=] {
    name_thread("announcer");
    std::string pid = std::to_string(other);
    for (int stood = 0; stood < 20; usleep(1000))
      stood = all_others_stand("self") && all_others_stand(pid) ? stood + 1 : 0;
    make_file(ready_file);
  }).detach();
}

void cross(int robust, const char* ready_file) {
  make_shared(robust);
  pid_t pid = child([] {
    pthread_mutex_lock(&shared->two);
    shared->steps++;
    spin_until(shared->steps, 2);
    pthread_mutex_lock(&shared->one);
  });
  announce_from_thread(ready_file, pid);
  pthread_mutex_lock(&shared->one);
  shared->steps++;
  spin_until(shared->steps, 2);
  pthread_mutex_lock(&shared->two);
}

void file_locks(const char* ready_file) {
  make_shared(PTHREAD_MUTEX_STALLED);
  static std::string paths[2] = {std::string(ready_file) + ".one", std::string(ready_file) + ".two"};
  auto take = [](int which) { flock(open(paths[which].c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOCK_EX); };
  pid_t pid = child([&] {
    take(1);
    shared->steps++;
    spin_until(shared->steps, 2);
    take(0);
  });
  announce_from_thread(ready_file, pid);
  take(0);
  shared->steps++;
  spin_until(shared->steps, 2);
  take(1);
}

// The parent waits for the end of a child that waits for a lock which the parent holds: of the process, or of the file
// as it is open.
void locked_out(int command, const char* ready_file) {
  static std::string path = std::string(ready_file) + ".locked";
  auto take = [=] {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (fcntl(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), command, &whole) != 0) _exit(4);
  };
  make_shared(PTHREAD_MUTEX_STALLED);
  pid_t pid = child([&] {
    spin_until(shared->steps, 1);
    take();
  });
  take();
  shared->steps++;
  announce_from_thread(ready_file, pid);
  waitpid(pid, nullptr, 0);
}

// The parent waits for the end of a child that writes more into a pipe than anybody reads.
void full_pipe(const char* ready_file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) exit(3);
  pid_t pid = child([&] {
    close(ends[0]);
    char much[4096] = {};
    while (write(ends[1], much, sizeof much) > 0) {
    }
  });
  close(ends[1]);
  announce_from_thread(ready_file, pid);
  waitpid(pid, nullptr, 0);
}

// Each waits for the other to say something.
void quiet_sockets(const char* ready_file) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) exit(3);
  char byte;
  pid_t pid = child([&] {
    close(ends[0]);
    while (read(ends[1], &byte, 1) > 0) {
    }
  });
  close(ends[1]);
  announce_from_thread(ready_file, pid);
  while (read(ends[0], &byte, 1) > 0) {
  }
}

// A lock is copied by fork while another thread holds it.
void forked_lock(const char* ready_file) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static std::atomic<int> held{0};
  std::thread([] {
    name_thread("holder");
    pthread_mutex_lock(&lock);
    held = 1;
    for (;;) pause();
  }).detach();
  spin_until(held, 1);
  pid_t pid = child([] { pthread_mutex_lock(&lock); });
  announce_from_thread(ready_file, pid);
  for (;;) pause();
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  name_thread("parent");
  std::string mode = argv[1];
  if (mode == "mutexes") cross(PTHREAD_MUTEX_STALLED, argv[2]);
  if (mode == "robust") cross(PTHREAD_MUTEX_ROBUST, argv[2]);
  if (mode == "file_locks") file_locks(argv[2]);
  if (mode == "record_locks") locked_out(F_SETLKW, argv[2]);
  if (mode == "open_file_locks") locked_out(F_OFD_SETLKW, argv[2]);
  if (mode == "full_pipe") full_pipe(argv[2]);
  if (mode == "quiet_sockets") quiet_sockets(argv[2]);
  if (mode == "forked_lock") forked_lock(argv[2]);
  for (;;) pause();
}
