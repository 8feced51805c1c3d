#include "symbols/dwarf_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <unordered_map>

namespace culprit {
namespace {

// AddressSanitizer's shadow memory would count against a memory limit. gcc says it by a macro, clang by a feature.
#ifdef __has_feature
constexpr bool address_sanitized = __has_feature(address_sanitizer);
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool address_sanitized = true;
#else
constexpr bool address_sanitized = false;
#endif

// Both ends are the same program, so integers go as they lie in memory:
//   question := count:u32 address:u64*  or  object_question:u32 ObjectQuestion
//   message  := size:u32 payload         the first is the sentence why the file cannot be read, empty if it can
//   answers  := string (the missing split file)  answer*
//   answer   := has_linker_name:u8 has_start:u8 start:u64 frames:u32 (string string line:u32 inlined:u8)*
//   object   := is_found:u8 is_virtual_table:u8 string{4}
//   string   := id:u32 [size:u32 bytes]  where an id not seen before is followed by its text
constexpr int patience_ms = 30'000;        // without a single byte
constexpr rlim_t processor_seconds = 600;  // should nobody be there to lose patience
constexpr uint32_t largest_message = 1u << 30;
constexpr uint32_t object_question = ~0u;  // in place of a count
static_assert(std::is_trivially_copyable_v<ObjectQuestion>);

bool receive_all(int socket, void* into, size_t size, int timeout_ms) {
  auto* at = static_cast<char*>(into);
  while (size != 0) {
    pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
    int ready = ::poll(&waiting, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    ssize_t count = ::recv(socket, at, size, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// The worker's half of a message.
class AnswerWriter {
 public:
  template <typename Integer>
  void put(Integer value) {
    payload_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  void put_string(const std::string& text) {
    auto [at, is_new] = ids_.try_emplace(text, static_cast<uint32_t>(ids_.size()));
    put(at->second);
    if (!is_new) return;
    put(static_cast<uint32_t>(text.size()));
    payload_ += text;
  }

  void put_answer(const DwarfAnswer& answer) {
    put(static_cast<uint8_t>(answer.has_linker_name));
    put(static_cast<uint8_t>(answer.function_start.has_value()));
    put(answer.function_start.value_or(0));
    put(static_cast<uint32_t>(answer.frames.size()));
    for (const SourceFrame& frame : answer.frames) {
      put_string(frame.function);
      put_string(frame.file);
      put(frame.line);
      put(static_cast<uint8_t>(frame.inlined));
    }
  }

  void put_object(const std::optional<NamedObject>& found) {
    NamedObject object = found.value_or(NamedObject{});
    put(static_cast<uint8_t>(found.has_value()));
    put(static_cast<uint8_t>(object.is_virtual_table));
    for (const std::string& text : {object.object, object.anchor, object.pointer, object.pointer_type})
      put_string(text);
  }

  bool send(int socket) {
    std::string message(sizeof(uint32_t), '\0');
    auto size = static_cast<uint32_t>(payload_.size());
    std::memcpy(message.data(), &size, sizeof(size));
    message += payload_;
    payload_.clear();
    return send_all(socket, message);
  }

 private:
  std::string payload_;
  std::unordered_map<std::string, uint32_t> ids_;
};

void answer_questions(int socket, Bytes file, const std::string& path, const SplitDwarfPlaces& places) {
  AnswerWriter writer;
  auto lines = DwarfLines::open(file, path, places);
  writer.put_string(lines ? "" : lines.error().what);
  if (!writer.send(socket) || !lines) return;
  constexpr int forever = -1;
  for (uint32_t count = 0; receive_all(socket, &count, sizeof(count), forever);) {
    if (count == object_question) {
      ObjectQuestion question;
      if (!receive_all(socket, &question, sizeof(question), forever)) return;
      writer.put_object(lines->object(question));
      if (!writer.send(socket)) return;
      continue;
    }
    std::vector<uint64_t> addresses(count);
    if (!receive_all(socket, addresses.data(), count * sizeof(uint64_t), forever)) return;
    std::vector<DwarfAnswer> answers;
    for (uint64_t address : addresses) answers.push_back(lines->lookup(address));
    writer.put_string(lines->missing_split_file());
    for (const DwarfAnswer& answer : answers) writer.put_answer(answer);
    if (!writer.send(socket)) return;
  }
}

// In the new process: nothing of the program it was forked from may be held, seen or disturbed.
[[noreturn]] void work(int socket, Bytes file, const std::string& path, const SplitDwarfPlaces& places) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    ::signal(signal, SIG_DFL);
  }
  ::prctl(PR_SET_DUMPABLE, 0);  // a crash here is foreseen and leaves no core file
  rlimit processor{.rlim_cur = processor_seconds, .rlim_max = processor_seconds};
  ::setrlimit(RLIMIT_CPU, &processor);
  // What LLVM makes of a unit is a few times its size; a name made to explode is stopped here.
  rlim_t most_memory = (rlim_t{1} << 30) + 16 * file.size();
  rlimit memory{.rlim_cur = most_memory, .rlim_max = most_memory};
  if (!address_sanitized) ::setrlimit(RLIMIT_DATA, &memory);
  // LLVM reports what it dislikes in .dwo and .dwp files on stderr, with no handler to set. 0 and 1 are led away, too,
  // as it would else open other files under these numbers.
  int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard : {0, 1, 2}) ::dup2(nowhere, standard);
  // What is open there are pipes of the program that somebody waits for the end of. The socket gets a number that nobody
  // has had: libunwind (of a preloaded tcmalloc) goes on reading from and writing to what was its pipe.
  int kept = ::fcntl(socket, F_DUPFD_CLOEXEC, 500);
  if (kept < 0) kept = ::fcntl(socket, F_DUPFD_CLOEXEC, 3);
  if (kept > 3) ::close_range(3, static_cast<unsigned>(kept) - 1, 0);
  ::close_range(static_cast<unsigned>(kept) + 1, ~0u, 0);
  answer_questions(kept, file, path, places);
  ::_exit(0);
}

}  // namespace

DwarfWorker::DwarfWorker(Bytes file, const std::string& path, const SplitDwarfPlaces& places) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    give_up("its debug info cannot be read: no socket");
    return;
  }
  socket_ = Fd(ends[0]);
  Fd other(ends[1]);
  process_ = ::fork();
  if (process_ == 0) work(other.get(), file, path, places);
  if (process_ < 0) {
    give_up("its debug info cannot be read: no new process");
    return;
  }
  other.reset();

  ByteReader reader(receive_message());
  reader.skip(sizeof(uint32_t));  // the id of the first string
  strings_.emplace_back(as_text(reader.take_bytes(reader.take<uint32_t>())));
  if (!reader) {
    give_up("its debug info is damaged");
  } else if (!strings_.front().empty()) {
    give_up(strings_.front());
  }
}

DwarfWorker::DwarfWorker(DwarfWorker&& other) noexcept
    : socket_(std::move(other.socket_)),
      process_(std::exchange(other.process_, -1)),
      asked_(other.asked_),
      problem_(std::move(other.problem_)),
      missing_split_file_(std::move(other.missing_split_file_)),
      message_(std::move(other.message_)),
      strings_(std::move(other.strings_)) {}

DwarfWorker::~DwarfWorker() { give_up(""); }

void DwarfWorker::give_up(std::string why) {
  if (problem_.empty()) problem_ = std::move(why);
  socket_.reset();
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

void DwarfWorker::send(std::span<const uint64_t> addresses) {
  asked_ = addresses.size();
  if (!socket_ || asked_ == 0) return;
  auto count = static_cast<uint32_t>(asked_);
  std::string question(reinterpret_cast<const char*>(&count), sizeof(count));
  question += as_text(std::as_bytes(addresses));
  if (!send_all(socket_.get(), question)) give_up("its debug info is damaged");
}

Bytes DwarfWorker::receive_message() {
  uint32_t size = 0;
  if (!receive_all(socket_.get(), &size, sizeof(size), patience_ms) || size > largest_message) return {};
  message_.resize(size);
  if (!receive_all(socket_.get(), message_.data(), size, patience_ms)) return {};
  return message_;
}

std::string DwarfWorker::take_string(ByteReader& reader) {
  uint32_t id = reader.take<uint32_t>();
  if (id > strings_.size()) reader.fail();
  if (!reader) return {};
  if (id == strings_.size()) strings_.emplace_back(as_text(reader.take_bytes(reader.take<uint32_t>())));
  return strings_[id];
}

bool DwarfWorker::read_answers(Bytes message, std::vector<DwarfAnswer>& answers) {
  ByteReader reader(message);
  missing_split_file_ = take_string(reader);
  for (DwarfAnswer& answer : answers) {
    answer.has_linker_name = reader.take<uint8_t>() != 0;
    bool has_start = reader.take<uint8_t>() != 0;
    uint64_t start = reader.take<uint64_t>();
    if (has_start) answer.function_start = start;
    constexpr uint64_t smallest_frame = 13;
    uint64_t frames = reader.take_count(reader.take<uint32_t>(), smallest_frame);
    for (; frames != 0 && reader; --frames) {
      SourceFrame& frame = answer.frames.emplace_back();
      frame.function = take_string(reader);
      frame.file = take_string(reader);
      frame.line = reader.take<uint32_t>();
      frame.inlined = reader.take<uint8_t>() != 0;
    }
  }
  return bool(reader);
}

std::vector<DwarfAnswer> DwarfWorker::receive() {
  std::vector<DwarfAnswer> answers(asked_);
  if (!socket_ || asked_ == 0) return answers;
  if (!read_answers(receive_message(), answers)) {
    give_up("its debug info is damaged, reading it was broken off");
    answers.assign(asked_, {});
  }
  return answers;
}

std::optional<NamedObject> DwarfWorker::object(const ObjectQuestion& question) {
  if (!socket_) return {};
  std::string words(reinterpret_cast<const char*>(&object_question), sizeof(object_question));
  words.append(reinterpret_cast<const char*>(&question), sizeof(question));
  if (!send_all(socket_.get(), words)) {
    give_up("its debug info is damaged");
    return {};
  }
  ByteReader reader(receive_message());
  bool is_found = reader.take<uint8_t>() != 0;
  NamedObject object{.is_virtual_table = reader.take<uint8_t>() != 0};
  for (std::string* text : {&object.object, &object.anchor, &object.pointer, &object.pointer_type})
    *text = take_string(reader);
  if (!reader) {
    give_up("its debug info is damaged, reading it was broken off");
    return {};
  }
  return is_found ? std::optional(std::move(object)) : std::nullopt;
}

}  // namespace culprit
