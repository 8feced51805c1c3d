// Prints everything it can see of the world it was started in; must not differ under culprit.
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

void print_signals() {
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int signal = 1; signal < 65; signal++) {
    struct sigaction action {};
    bool known = sigaction(signal, nullptr, &action) == 0;
    std::printf("signal %d: %s%s\n", signal, sigismember(&blocked, signal) == 1 ? "blocked " : "",
                !known                         ? "unknown"
                : action.sa_handler == SIG_DFL ? "default"
                : action.sa_handler == SIG_IGN ? "ignored"
                                               : "handled");
  }
  std::printf("altstack: ");
  stack_t other;
  sigaltstack(nullptr, &other);
  std::printf("%s\n", other.ss_flags & SS_DISABLE ? "none" : "some");
}

void print_limits() {
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
    rlimit limits{};
    getrlimit(static_cast<__rlimit_resource_t>(resource), &limits);
    std::printf("limit %d: %llu %llu\n", resource, static_cast<unsigned long long>(limits.rlim_cur),
                static_cast<unsigned long long>(limits.rlim_max));
  }
}

void print_handles() {
  DIR* directory = opendir("/proc/self/fd");
  std::vector<bool> open(1024);
  while (dirent* entry = readdir(directory)) {
    int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != dirfd(directory) && number < 1024)
      open[static_cast<size_t>(number)] = true;
  }
  closedir(directory);
  for (size_t number = 0; number < open.size(); number++) {
    if (open[number]) std::printf("handle %zu\n", number);
  }
}

void print_status() {
  FILE* file = std::fopen("/proc/self/status", "r");
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    for (const char* field :
         {"SigP", "SigB", "SigI", "SigC", "Shd", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed:", "Threads", "Umask", "TracerPid"}) {
      std::string_view text = line;
      if (text.starts_with(field)) std::fputs(line, stdout);
    }
  }
  std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
  print_handles();
  for (int i = 0; i < argc; i++) std::printf("argument %d: %s\n", i, argv[i]);
  for (char** variable = environ; *variable != nullptr; variable++) std::printf("variable %s\n", *variable);
  print_signals();
  print_limits();
  print_status();
  std::printf("group %d session %d\n", getpgrp(), getsid(0));
  int death_signal = -1, subreaper = -1;
  prctl(PR_GET_PDEATHSIG, &death_signal);
  prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
  std::printf("death signal %d, subreaper %d, dumpable %d, slack %d, nice %d, policy %d\n", death_signal, subreaper,
              prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK), getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
  std::printf("personality %x, name ", static_cast<unsigned>(personality(0xffffffff)));
  char name[16];
  prctl(PR_GET_NAME, name);
  itimerval timer;
  getitimer(ITIMER_REAL, &timer);
  char here[4096];
  std::printf("%s, alarm %ld, directory %s\n", name, timer.it_value.tv_sec, getcwd(here, sizeof here));
  return argc - 1;
}
