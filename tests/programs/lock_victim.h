// What programs that get stuck on purpose have in common: threads with names, locks that are taken in a known order,
// and the moment when all of them stand.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

// Nobody blocks here: a thread that waits by futex must be one that stands where the test wants it.
inline void spin_until(const std::atomic<int>& value, int at_least) {
  while (value.load() < at_least) usleep(200);
}

inline void name_thread(const char* name) { prctl(PR_SET_NAME, name); }

inline std::string text_of(const std::string& path) {
  char buffer[4096] = {};
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  ssize_t size = read(file, buffer, sizeof buffer - 1);
  close(file);
  return size < 0 ? "" : std::string(buffer, static_cast<size_t>(size));
}

// All threads but the calling one, and so many that run or sleep on purpose, are in a system call that is neither
// usleep nor anything else that ends by itself.
inline bool all_others_stand(const std::string& pid, int restless = 0) {
  DIR* folder = opendir(("/proc/" + pid + "/task").c_str());
  if (folder == nullptr) return false;
  int moving = 0;
  while (dirent* entry = readdir(folder)) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid()) continue;
    std::string call = text_of("/proc/" + pid + "/task/" + entry->d_name + "/syscall");
    const bool stands = !call.empty() && call.compare(0, 7, "running") != 0 && call.compare(0, 4, "230 ") != 0;
    moving += stands ? 0 : 1;
  }
  closedir(folder);
  return moving == restless;
}

inline void make_file(const char* path) { close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }

// Makes the file that the test waits for when everybody has stood for a while.
inline void announce_when_stuck(const char* ready_file, const std::string& pid = "self", int restless = 0) {
  for (int stood = 0; stood < 20; usleep(1000)) stood = all_others_stand(pid, restless) ? stood + 1 : 0;
  make_file(ready_file);
}
