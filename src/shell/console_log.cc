#include "shell/console_log.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/syscall.h"

namespace culprit {

Result<void> ConsoleLog::open(const std::string& path, bool append) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_NOCTTY | (append ? O_APPEND : O_TRUNC));
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  file_ = std::move(*file);
  path_ = path;
  return {};
}

bool ConsoleLog::close() {
  bool was_open = is_open();
  file_ = Fd();
  return was_open;
}

void ConsoleLog::note(std::string_view text) {
  if (is_open()) (void)write_all(file_.get(), text);
}

// A pipe whose other end a thread copies to two places.
struct LoggedStreams::Copier {
  Copier(Fd read_end, Fd write_end, int shown, Fd log)
      : in(std::move(write_end)), read_end_(std::move(read_end)), log_(std::move(log)) {
    // Signals are for the console's own thread, whose waits they end.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, shown] { copy(shown); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Copier() {
    in = Fd();
    thread_.join();
  }

  void copy(int shown) {
    char buffer[4096];
    for (;;) {
      ssize_t size = read(read_end_.get(), buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return;
      std::string_view text(buffer, static_cast<size_t>(size));
      (void)write_all(shown, text);
      (void)write_all(log_.get(), text);
    }
  }

  Fd in;

 private:
  Fd read_end_, log_;
  std::thread thread_;
};

LoggedStreams::LoggedStreams(const Streams& before, int log) : streams_(before) {
  if (log < 0) return;
  int* places[] = {&streams_.output, &streams_.errors};
  for (size_t i = 0; i < 2; ++i) {
    Fd own_log(fcntl(log, F_DUPFD_CLOEXEC, 0));
    int ends[2];
    if (!own_log || pipe2(ends, O_CLOEXEC) != 0) continue;  // shown, though not logged
    copiers_[i] = new Copier(Fd(ends[0]), Fd(ends[1]), *places[i], std::move(own_log));
    *places[i] = copiers_[i]->in.get();
  }
}

LoggedStreams::~LoggedStreams() {
  for (Copier* copier : copiers_) delete copier;
}

}  // namespace culprit
