#include "target/debug_messages.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

namespace culprit {
namespace {

constexpr size_t most_message_bytes = 128 << 10;

class Message {
 public:
  template <typename Value>
  void put(const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
  }
  template <typename Value>
  void put_all(const std::vector<Value>& values) {
    put(static_cast<uint32_t>(values.size()));
    for (const Value& value : values) put(value);
  }
  void put_text(std::string_view text) { put_all(std::vector<char>(text.begin(), text.end())); }

  bool send(int socket) const {
    ssize_t sent = -1;
    do sent = ::send(socket, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(bytes_.size());
  }
  bool receive(int socket) {
    bytes_.resize(most_message_bytes);
    ssize_t size = -1;
    do size = recv(socket, bytes_.data(), bytes_.size(), 0);
    while (size < 0 && errno == EINTR);
    bytes_.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
    return size > 0;
  }

  template <typename Value>
  void get(Value& value) {
    if (at_ + sizeof value > bytes_.size()) return;
    memcpy(static_cast<void*>(&value), bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
  }
  template <typename Value>
  void get_all(std::vector<Value>& values) {
    uint32_t count = 0;
    get(count);
    values.resize(std::min<size_t>(count, (bytes_.size() - at_) / sizeof(Value)));
    for (Value& value : values) get(value);
  }
  void get_text(std::string& text) {
    std::vector<char> letters;
    get_all(letters);
    text.assign(letters.begin(), letters.end());
  }

 private:
  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace

bool send_request(int socket, const DebugRequest& request) {
  Message message;
  message.put(request.ask), message.put(request.tid), message.put(request.id), message.put(request.value);
  message.put(request.breakpoint), message.put(request.registers), message.put_all(request.condition);
  return message.send(socket);
}

std::optional<DebugRequest> receive_request(int socket) {
  Message message;
  DebugRequest request;
  if (!message.receive(socket)) return {};
  message.get(request.ask), message.get(request.tid), message.get(request.id), message.get(request.value);
  message.get(request.breakpoint), message.get(request.registers), message.get_all(request.condition);
  return request;
}

bool send_reply(int socket, const DebugReply& reply) {
  Message message;
  message.put(reply.error_kind), message.put_text(reply.error), message.put(reply.stop), message.put(reply.value);
  message.put_all(reply.breakpoints), message.put_all(reply.threads);
  return message.send(socket);
}

std::optional<DebugReply> receive_reply(int socket) {
  Message message;
  DebugReply reply;
  if (!message.receive(socket)) return {};
  message.get(reply.error_kind), message.get_text(reply.error), message.get(reply.stop), message.get(reply.value);
  message.get_all(reply.breakpoints), message.get_all(reply.threads);
  return reply;
}

}  // namespace culprit
