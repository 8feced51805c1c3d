#include "shell/exporter.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <httplib.h>

#include <mutex>
#include <thread>

#include "base/text.h"
#include "shell/values.h"

namespace culprit {

struct Exporter::State {
  httplib::Server server;
  std::mutex mutex;
  std::string page;
  std::thread thread;
};

Exporter::Exporter(std::unique_ptr<State> state) : state_(std::move(state)) {}

Exporter::~Exporter() {
  state_->server.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

Result<std::unique_ptr<Exporter>> Exporter::start(const std::string& address) {
  size_t colon = address.rfind(':');
  std::string host = colon == std::string::npos ? "127.0.0.1" : address.substr(0, colon);
  auto port = parse_count(colon == std::string::npos ? address : address.substr(colon + 1));
  in_addr ip{};
  bool is_loopback = (::inet_pton(AF_INET, host.c_str(), &ip) == 1 && ntohl(ip.s_addr) >> 24 == IN_LOOPBACKNET) ||
                     host == "localhost" || host == "[::1]" || host == "::1";
  if (!is_loopback || !port || *port > 65535)
    return fail(ErrorKind::usage,
                fmt::format("--prometheus takes a port on loopback, 127.0.0.1:9100, not {}", printable(address)));
  if (host == "[::1]") host = "::1";
  auto state = std::make_unique<State>();
  state->server.Get("/metrics", [&state = *state](const httplib::Request&, httplib::Response& response) {
    std::lock_guard lock(state.mutex);
    response.set_content(state.page, "text/plain; version=0.0.4");
  });
  if (!state->server.bind_to_port(host, static_cast<int>(*port)))
    return fail(ErrorKind::system, fmt::format("cannot listen on {}:{}: it is in use, or not permitted", host, *port));
  state->thread = std::thread([&state = *state] { state.server.listen_after_bind(); });
  return std::unique_ptr<Exporter>(new Exporter(std::move(state)));
}

void Exporter::set_page(std::string page) {
  std::lock_guard lock(state_->mutex);
  state_->page = std::move(page);
}

}  // namespace culprit
