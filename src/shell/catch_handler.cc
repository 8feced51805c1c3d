#include "shell/catch_handler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

#include "base/mapping.h"
#include "base/syscall.h"
#include "model/signals.h"
#include "shell/crash_pages.h"
#include "target/core_stream.h"
#include "target/elf_core.h"
#include "target/process_facts.h"

namespace culprit {
namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned time_limit = 120;  // seconds, then the kernel ends us
constexpr int no_progress = -1;

void be_careful() {
  // A core of ours would start another one of us. 0 does not forbid it where the core goes into a pipe, 1 does
  // (do_coredump in fs/coredump.c); a handler that the kernel starts has that already.
  rlimit none{1, 1};
  ::setrlimit(RLIMIT_CORE, &none);
  ::alarm(time_limit);
  if (auto file = open_file("/proc/self/oom_score_adj", O_WRONLY)) static_cast<void>(write_all(file->get(), "1000"));
}

// The process is gone: nobody waits for us any more.
void be_nice() {
  constexpr int this_process = 1, idle_class = 3 << 13;  // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE (linux/ioprio.h)
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::syscall(SYS_ioprio_set, this_process, 0, idle_class);
}

// What only the living process tells.
struct LastLook {
  std::string name;
  std::optional<ProcessUse> use;
  Fd root;  // of its file system, where that is not ours

  std::string root_path() const { return root ? fmt::format("/proc/{}/fd/{}", ::getpid(), root.get()) : ""; }
};

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

LastLook look_at(uint32_t pid) {
  LastLook look;
  if (pid == 0) return look;
  look.name = process_name(pid);
  look.use = look_at_use(pid);
  auto root = open_file(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY);
  struct stat its {
  }, ours{};
  bool is_other = root && ::fstat(root->get(), &its) == 0 && ::stat("/", &ours) == 0 && !is_same_file(its, ours);
  if (is_other) look.root = std::move(*root);
  return look;
}

Result<void> write_file(const std::string& path, std::string_view text) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  CULPRIT_TRY(write_all(file->get(), text));
  // A full disk may say so only now.
  CULPRIT_TRY(checked("write " + path, [&] { return ::fsync(file->get()); }));
  return {};
}

Result<void> keep_core(const std::string& path, const StreamedCore& core) {
  auto mapping = Mapping::of_fd(core.file.get(), path);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  return write_file(path, std::string_view(reinterpret_cast<const char*>(mapping->data()), core.size));
}

// Debug files of a container's own come before ours; none is taken that belongs to another build.
SymbolOptions symbol_options(const LastLook& look) {
  SymbolOptions options;
  if (std::string root = look.root_path(); !root.empty())
    options.debug_directories.insert(options.debug_directories.begin(), root + "/usr/lib/debug");
  return options;
}

Result<CrashReport> page_of(const StreamedCore& core, const LastLook& look, const std::string& name) {
  auto mapping = Mapping::of_fd(core.file.get(), name);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  CoreSource source{.name = name, .places = {}, .incomplete = core.incomplete};
  source.places.root = look.root_path();
  auto target = open_core_bytes(mapping->bytes(), std::move(source));
  if (!target) return tl::unexpected<Error>(std::move(target).error());
  SymbolOptions options = symbol_options(look);
  Symbolizer symbolizer(options);
  auto page = page_about(**target, symbolizer, no_progress, options);
  if (page) page->use = look.use;
  return page;
}

void tell(CaughtCrash& crash, const Result<CrashReport>& page) {
  if (!page) {
    crash.problem = page.error().what;
    return;
  }
  crash.sentence = crash_sentence(*page);
  crash.bucket = page->bucket;
  crash.signal = page->fault.signal == 0 ? "" : signal_name(page->fault.signal);
  if (crash.pid == 0) crash.pid = page->pid;
  if (std::string program = page->executable.substr(page->executable.rfind('/') + 1); !program.empty())
    crash.program = program;
}

// Everything about one crash, in a folder of its own that gets its name when it is complete.
class Catch {
 public:
  Catch(const CatchFolder& folder, const CatchRequest& request)
      : folder_(folder), request_(request), settings_(folder.settings()), look_(look_at(request.pid)) {
    crash_.pid = request.pid;
    crash_.program = look_.name;
    crash_.time = ::time(nullptr);
  }

  Result<CaughtCrash> keep() {
    auto place = folder_.begin(crash_.number);
    if (!place) return tl::unexpected<Error>(std::move(place).error());
    auto written = write(*place);
    if (!written) {
      folder_.abandon(crash_.number);
      return tl::unexpected<Error>(std::move(written).error());
    }
    CULPRIT_TRY(folder_.finish(crash_.number));
    folder_.prune(settings_, crash_.number);
    return crash_;
  }

  std::string line(std::string_view why) const {
    return fmt::format("{} {} ({}): {}", crash_.time, crash_.program, crash_.pid, why);
  }

 private:
  Result<void> write(const std::string& place) {
    // What is known if we do not come to an end.
    CULPRIT_TRY(write_file(place + "/crash.json", caught_as_json(crash_)));
    auto core = read_core_stream(request_.core, {});
    ::close(request_.core);  // the process may go
    be_nice();
    std::string name = fmt::format("{}/{}/core", folder_.path(), crash_.number);
    auto page = core ? page_of(*core, look_, name) : Result<CrashReport>(tl::unexpected<Error>(core.error()));
    tell(crash_, page);
    if (page) {
      page->written = crash_.time;
      if (!settings_.keeps_cores) page->next = without_core(std::move(page->next), name);
      CULPRIT_TRY(write_file(place + "/page.txt", crash_as_text(*page, {.style = {}})));
      CULPRIT_TRY(write_file(place + "/page.json", crash_as_json(*page)));
    }
    if (core && settings_.keeps_cores) {
      CULPRIT_TRY(keep_core(place + "/core", *core));
      crash_.core_bytes = core->size;
    }
    crash_.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    return write_file(place + "/crash.json", caught_as_json(crash_));
  }

  // Nothing to open is left.
  static std::vector<std::string> without_core(std::vector<std::string> next, const std::string& core) {
    std::erase_if(next, [&](const std::string& each) { return each.find(core) != each.npos; });
    next.emplace_back("culprit catch install --cores keeps a core for the console");
    return next;
  }

  const CatchFolder& folder_;
  CatchRequest request_;
  CatchSettings settings_;
  LastLook look_;
  CaughtCrash crash_;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace

Result<CaughtCrash> handle_crash(const CatchFolder& folder, const CatchRequest& request) {
  be_careful();
  if (auto slot = folder.take_slot(); !slot) {
    folder.note_missed(fmt::format("{} {} ({}): {}", ::time(nullptr), request.pid == 0 ? "" : process_name(request.pid),
                                   request.pid, slot.error().what));
    return tl::unexpected<Error>(std::move(slot).error());
  } else {
    Catch caught(folder, request);
    auto kept = caught.keep();
    if (!kept) folder.note_missed(caught.line(kept.error().what));
    return kept;
  }
}

}  // namespace culprit
