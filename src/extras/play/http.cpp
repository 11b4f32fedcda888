#include "extras/play/http.h"
#include <algorithm>
#include <cctype>
#include <httplib.h>
#include <optional>
#include <thread>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn::play {
namespace {
constexpr std::size_t connections = 32;        ///< at the same time; others wait
constexpr std::size_t longest_body = 1 << 17;  ///< in bytes
constexpr time_t patience = 5;                 ///< seconds for one read or write

Request request_of(const httplib::Request& http) {
  Request request{http.method, http.path};
  request.body = http.body;
  for (const auto& [key, value] : http.params) request.query[key] = value;
  for (const auto& [key, value] : http.headers) {
    std::string name = key;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    // Of a header that stands twice, no one can say which counts.
    if (!request.headers.emplace(name, value).second) request.headers[name] = "twice";
  }
  return request;
}

void send(const Answer& answer, httplib::Response& http, const std::function<bool()>& stop) {
  http.status = answer.status;
  for (const auto& [key, value] : answer.headers) http.set_header(key.c_str(), value);
  if (!answer.lines) return http.set_content(answer.body, answer.type.c_str());
  const auto lines = answer.lines;
  http.set_chunked_content_provider(
      answer.type.c_str(),
      [lines, stop](std::size_t, httplib::DataSink& sink) {
        std::string some;
        if (stop() || !sink.is_writable()) return false;
        if (!lines->take(some)) sink.done();
        return some.empty() || sink.write(some.data(), some.size());
      },
      [lines](bool) { lines->leave(); });
}
}  // namespace

void serve_http(const std::string& host, int port, const std::function<Site(int port)>& make,
                const std::function<bool()>& stop) {
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(connections); };  // NOLINT: httplib deletes it
  server.set_payload_max_length(longest_body);
  server.set_read_timeout(patience);
  server.set_write_timeout(patience);
  // Without SO_REUSEPORT, with which a second program could share the port.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_keep_alive_max_count(1);  // an idle connection would keep one of the threads
  std::optional<Site> site;
  const auto handle = [&](const httplib::Request& request, httplib::Response& response) {
    send(site->answer(request_of(request)), response, stop);
  };
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    const std::optional<Answer> refusal = site->refusal(request_of(request));
    if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
    send(*refusal, response, stop);
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get(".*", handle);
  server.Post(".*", handle);
  if (port == 0)
    port = server.bind_to_any_port(host.c_str());
  else if (!server.bind_to_port(host.c_str(), port))
    port = -1;
  if (port < 0)
    fail_input(fmt::format("cannot listen on {} at that port", host), "an address of this machine, and a free port",
               "choose others with --host and --port");
  site.emplace(make(port));
  std::jthread watch([&](const std::stop_token& done) {
    while (!done.stop_requested() && !(stop() && server.is_running()))
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    server.stop();
  });
  server.listen_after_bind();
}
}  // namespace charnn::play
