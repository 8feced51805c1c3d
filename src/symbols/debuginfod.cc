#include "symbols/debuginfod.h"

#include <dlfcn.h>
#include <elfutils/debuginfod.h>

#include <chrono>
#include <cstdlib>

#include "base/fd.h"
#include "base/syscall.h"

namespace culprit {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(15);

using Find = decltype(&debuginfod_find_debuginfo);

struct Library {
  decltype(&debuginfod_begin) begin = nullptr;
  decltype(&debuginfod_end) end = nullptr;
  decltype(&debuginfod_set_progressfn) set_progress = nullptr;
  decltype(&debuginfod_set_user_data) set_user_data = nullptr;
  decltype(&debuginfod_get_user_data) get_user_data = nullptr;
  Find find_debuginfo = nullptr;
  Find find_executable = nullptr;

  bool is_whole() const {
    return begin != nullptr && end != nullptr && set_progress != nullptr && set_user_data != nullptr &&
           get_user_data != nullptr && find_debuginfo != nullptr && find_executable != nullptr;
  }
};

template <typename Function>
void take(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
}

// Loaded once and never unloaded: libcurl below it leaves threads and handlers behind.
const Library& library() {
  static const Library loaded = [] {
    Library functions;
    void* handle = ::dlopen(DEBUGINFOD_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return functions;
    take(handle, "debuginfod_begin", functions.begin);
    take(handle, "debuginfod_end", functions.end);
    take(handle, "debuginfod_set_progressfn", functions.set_progress);
    take(handle, "debuginfod_set_user_data", functions.set_user_data);
    take(handle, "debuginfod_get_user_data", functions.get_user_data);
    take(handle, "debuginfod_find_debuginfo", functions.find_debuginfo);
    take(handle, "debuginfod_find_executable", functions.find_executable);
    return functions;
  }();
  return loaded;
}

// The transfer as the progress function sees it.
struct Watch {
  Clock::time_point last_news;
  long bytes = 0;
  bool gave_up = false;
};

// Called several times a second; anything but 0 cancels.
int give_up_on_silence(debuginfod_client* client, long bytes, long) {
  auto* watch = static_cast<Watch*>(library().get_user_data(client));
  if (bytes != watch->bytes) {
    watch->bytes = bytes;
    watch->last_news = Clock::now();
  }
  watch->gave_up = Clock::now() - watch->last_news > patience;
  return watch->gave_up ? 1 : 0;
}

}  // namespace

struct Debuginfod::State {
  bool allowed = false;
  bool gave_up = false;
  Watch watch;
  debuginfod_client* client = nullptr;

  ~State() {
    if (client != nullptr) library().end(client);
  }
};

Debuginfod::Debuginfod(bool allowed) : state_(std::make_unique<State>()) {
  const char* urls = std::getenv(DEBUGINFOD_URLS_ENV_VAR);
  state_->allowed = allowed && urls != nullptr && *urls != '\0';
}
Debuginfod::Debuginfod(Debuginfod&&) noexcept = default;
Debuginfod& Debuginfod::operator=(Debuginfod&&) noexcept = default;
Debuginfod::~Debuginfod() = default;

bool Debuginfod::enabled() const { return state_->allowed; }

Result<std::string> Debuginfod::fetch(const std::string& build_id, DebuginfodFile which) {
  if (!state_->allowed) return fail(ErrorKind::unsupported, "DEBUGINFOD_URLS is not set");
  if (state_->gave_up) return fail(ErrorKind::system, "the debuginfod servers did not answer");
  if (build_id.empty()) return fail(ErrorKind::not_found, "there is no build id to ask debuginfod for");
  const Library& functions = library();
  if (!functions.is_whole()) {
    return fail(ErrorKind::unsupported, "libdebuginfod is not installed (on Debian: apt install libdebuginfod1)");
  }
  if (state_->client == nullptr) {
    state_->client = functions.begin();
    if (state_->client == nullptr) return fail(ErrorKind::system, "libdebuginfod does not start");
    functions.set_user_data(state_->client, &state_->watch);
    functions.set_progress(state_->client, give_up_on_silence);
  }

  state_->watch = {.last_news = Clock::now()};
  Find find = which == DebuginfodFile::debuginfo ? functions.find_debuginfo : functions.find_executable;
  char* path = nullptr;
  int result = find(state_->client, reinterpret_cast<const unsigned char*>(build_id.c_str()), 0, &path);
  if (result >= 0) {
    Fd file(result);
    std::string found = path != nullptr ? path : "";
    std::free(path);
    return found;
  }
  if (result == -ENOENT) return fail(ErrorKind::not_found, "the debuginfod servers do not have it");
  state_->gave_up = true;
  return tl::unexpected<Error>(system_error("cannot ask the debuginfod servers", -result));
}

}  // namespace culprit
