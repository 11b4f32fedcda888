// A request for the page of charnn play: method, path, headers and query on a line each, then the body.
#include <array>
#include <nlohmann/json.hpp>
#include "extras/play/site.h"
#include "tests/fuzz/support.h"

using namespace charnn;

namespace {
constexpr std::string_view records = "{\"event\":\"run\"}\n{\"event\":\"step\",\"step\":1}\n{\"event\"";

std::string line_of(std::string_view& rest) {
  const std::string line(rest.substr(0, rest.find('\n')));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  static const std::string metrics = file.holding(records);
  bool written = false;
  const auto runs = [] { return std::vector<play::Run>{{"a", "a", metrics, {"best", "20"}}, {"b", "b", "", {}}}; };
  const auto write = [&](const play::Run& run, const std::string& checkpoint, const nlohmann::json& request) {
    fuzz::require(run.name == "a" && (checkpoint == "best" || checkpoint == "20"), "only what is there");
    fuzz::require(request.is_object() && !request.contains("run") && !request.contains("id"),
                  "the rest of the request");
    written = true;
    return std::make_shared<play::Lines>();
  };
  std::string_view rest = fuzz::text_of(data, size);
  play::Request request;
  request.method = line_of(rest);
  request.path = line_of(rest);
  for (const char* name : {"host", "origin", "content-type", "x-charnn-token"})
    if (const std::string value = line_of(rest); !value.empty()) request.headers[name] = value;
  for (const char* name : {"run", "cursor", "token"})
    if (const std::string value = line_of(rest); !value.empty()) request.query[name] = value;
  request.body = rest;

  for (const std::string token : {"", "secret"}) {
    written = false;
    const play::Site site({runs, write, {"h:1"}, token});
    const play::Answer answer = site.answer(request);
    fuzz::require(!site.refusal(request) || answer.status == 403, "what is refused early is refused");
    const auto header = [&](const char* name) { return request.headers.contains(name) ? request.headers[name] : ""; };
    const bool foreign = header("host") != "h:1" || (!header("origin").empty() && header("origin") != "http://h:1");
    fuzz::require(!foreign || answer.status == 403, "a page from elsewhere is refused");
    const bool is_static = !request.path.starts_with("/api/");
    const bool known = header("x-charnn-token") == token || request.query["token"] == token;
    fuzz::require(token.empty() || is_static || known || answer.status == 403, "the token is asked for");
    constexpr std::array statuses{200, 400, 403, 404, 405, 415};
    fuzz::require(std::ranges::find(statuses, answer.status) != statuses.end(), "a status that is meant");
    fuzz::require(!written || (answer.status == 200 && answer.lines && request.method == "POST"),
                  "texts are asked for");
    fuzz::require(answer.headers.contains("Content-Security-Policy"), "the policy");
    if (answer.type == "application/json")
      fuzz::require(nlohmann::json::accept(answer.body), "an answer of JSON");
    else if (answer.type == "application/x-ndjson" && !answer.lines)
      fuzz::require(records.ends_with(std::string(answer.body).append("{\"event\"")), "whole lines, from a cursor on");
  }
  return 0;
}
