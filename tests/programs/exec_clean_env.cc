// Replaces itself by an image that starts with an empty environment and then leaks.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

[[gnu::noinline]] int leak_before_exec() {
  int kept = open("/dev/null", O_RDONLY);
  int closed_by_exec = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  return kept < 0 || closed_by_exec < 0 ? -1 : 0;
}

[[gnu::noinline]] int leak_after_exec() {
  int event = eventfd(0, 0);
  return event < 0 ? -1 : 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "image") == 0) {
    int variables = 0;
    for (char** variable = environ; *variable != nullptr; variable++) {
      std::printf("%s\n", *variable);
      variables++;
    }
    for (int i = 0; i < 20; i++) {
      if (leak_after_exec() != 0) return 1;
    }
    std::printf("%d variables\n", variables);
    return 7;
  }
  for (int i = 0; i < 5; i++) {
    if (leak_before_exec() != 0) return 1;
  }
  char self[] = "exec_clean_env", image[] = "image";
  char* arguments[] = {self, image, nullptr};
  char* no_environment[] = {nullptr};
  execve("/proc/self/exe", arguments, no_environment);
  return 1;
}
