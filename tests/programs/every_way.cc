// Makes handles in more than 60 ways, keeps them all open, and writes down the truth:  every_way RESULT_FILE [WAY…]
//   way NAME libc|unseen NUMBER      one line per handle made
//   passing NAME                     opened and closed inside libc
//   skip NAME REASON                 not available on this machine
//   fd NUMBER INODE LINK             its own /proc/self/fd at the very end
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ways.h"

namespace {

const Way* running = nullptr;
std::string truth;

void line(const std::string& text) { truth += text + "\n"; }

void list_own_table() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) std::abort();
  while (dirent* entry = readdir(directory)) {
    int number = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || number == dirfd(directory)) continue;
    char link[4096] = "";
    readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
    struct stat status {};
    fstat(number, &status);
    line("fd " + std::to_string(number) + " " + std::to_string(status.st_ino) + " " + link);
  }
  closedir(directory);
}

bool wanted(const Way& way, int argc, char** argv) {
  if (argc <= 2) return true;
  for (int i = 2; i < argc; i++) {
    if (std::strcmp(argv[i], way.name) == 0) return true;
  }
  return false;
}

}  // namespace

int made(int number, Origin origin) {
  if (number < 0) {
    line(std::string("skip ") + running->name + " " + std::strerror(errno));
  } else {
    line(std::string("way ") + running->name + (origin == Origin::libc ? " libc " : " unseen ") +
         std::to_string(number));
  }
  return number;
}

void passing() { line(std::string("passing ") + running->name); }

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  int count = 0;
  // The ways of seccomp come last: a filter stays.
  for (auto ways :
       {file_ways(), duplicate_ways(), socket_ways(), kernel_object_ways(), library_ways(), unseen_ways()}) {
    for (const Way& way : ways) {
      if (!wanted(way, argc, argv)) continue;
      running = &way;
      way.run();
      count++;
    }
  }
  list_own_table();
  int result = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (result < 0 || write(result, truth.data(), truth.size()) != static_cast<ssize_t>(truth.size())) return 1;
  close(result);
  std::printf("%d ways tried\n", count);
  return 0;
}
