// Handles which libc makes for itself: nobody called open.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "ways.h"

WAY(fopen) {
  FILE* file = fopen("/etc/passwd", "r");
  made(file == nullptr ? -1 : fileno(file));
}
WAY(fopen_cloexec) {
  FILE* file = fopen("/etc/group", "re");
  made(file == nullptr ? -1 : fileno(file));
}
WAY(freopen) {
  FILE* file = fopen("/etc/passwd", "r");
  if (file != nullptr) file = freopen("/etc/hosts", "r", file);
  made(file == nullptr ? -1 : fileno(file));
}
WAY(opendir) {
  DIR* directory = opendir("/etc");
  made(directory == nullptr ? -1 : dirfd(directory));
}
WAY(tmpfile) {
  FILE* file = tmpfile();
  made(file == nullptr ? -1 : fileno(file));
}
WAY(popen) {
  FILE* file = popen("exec cat", "w");  // ends when this process does
  made(file == nullptr ? -1 : fileno(file));
}
WAY(posix_spawn) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  made(ends[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  char shell[] = "sh", option[] = "-c", command[] = "echo spawned";
  char* arguments[] = {shell, option, command, nullptr};
  pid_t child = -1;
  int error = posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char text[16];
  if (error == 0 && read(ends[0], text, sizeof text) > 0) waitpid(child, nullptr, 0);
}
WAY(syslog) {
  openlog("every_way", LOG_NDELAY, LOG_USER);  // a socket to /dev/log, kept only if somebody listens there
  passing();
}
WAY(getaddrinfo) {
  addrinfo* answers = nullptr;
  if (getaddrinfo("localhost", "80", nullptr, &answers) == 0) freeaddrinfo(answers);
  passing();
}
WAY(getpwnam) {
  getpwnam("root");
  passing();
}
WAY(dlopen) {
  dlopen("libresolv.so.2", RTLD_NOW);  // the loader opens and closes the file
  passing();
}

std::span<const Way> library_ways() {
  static const Way ways[] = {
      ROW(fopen),       ROW(fopen_cloexec), ROW(freopen),     ROW(opendir),  ROW(tmpfile), ROW(popen),
      ROW(posix_spawn), ROW(syslog),        ROW(getaddrinfo), ROW(getpwnam), ROW(dlopen),
  };
  return ways;
}
