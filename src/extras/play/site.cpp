#include "extras/play/site.h"
#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/io/json_config.h"
#include "page_css.h"
#include "page_html.h"
#include "page_js.h"
#include "play_js.h"
#include "view_js.h"
#include "watch_js.h"

namespace charnn::play {
using nlohmann::json;
using nlohmann::ordered_json;

namespace {
/// The page itself.
struct Part {
  std::string_view path, type, text;
};
constexpr Part page[] = {{"/", "text/html", cli::page_html},
                         {"/page.css", "text/css", cli::page_css},
                         {"/view.js", "text/javascript", cli::view_js},
                         {"/play.js", "text/javascript", cli::play_js},
                         {"/watch.js", "text/javascript", cli::watch_js},
                         {"/page.js", "text/javascript", cli::page_js}};

/// A request that is refused, with its HTTP status.
struct Refusal {
  int status;
  std::string what;
};

std::string value_of(const std::map<std::string, std::string>& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? "" : found->second;
}

Answer refused(int status, const std::string& what) { return {.status = status, .body = to_ascii({{"error", what}})}; }

/// Where a reader of a growing file stands: an offset, and a hash of what stands before it, so that a file that was
/// written anew is noticed.
std::string cursor_of(const InputFile& file, std::size_t offset) {
  std::string before(std::min<std::size_t>(offset, 256), '\0');
  file.read(offset - before.size(), before);
  return fmt::format("{}-{:016x}", offset, hash64(before));
}

/// 0 if the cursor does not fit the file.
std::size_t offset_of(const InputFile& file, const std::string& cursor) {
  std::size_t offset = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), offset);
  if (error != std::errc() || offset > file.size()) return 0;
  return cursor_of(file, offset) == cursor ? offset : 0;
}

/// Seconds since the file was written to.
double age_of(const std::string& path) {
  std::error_code none;
  const auto time = std::filesystem::last_write_time(path, none);
  return std::chrono::duration<double>(std::filesystem::file_time_type::clock::now() - time).count();
}
}  // namespace

Answer Site::answer(const Request& request) const {
  return guarded([&] {
    check(request);
    return routed(request);
  });
}

std::optional<Answer> Site::refusal(const Request& request) const {
  Answer answer = guarded([&] {
    check(request);
    // A body that says how long it is, and is what it seems: the limit on its length holds for these alone.
    if (request.headers.contains("transfer-encoding")) throw Refusal{411, "the request does not tell its length"};
    if (request.headers.contains("content-encoding")) throw Refusal{415, "the request is compressed"};
    return Answer{};
  });
  if (answer.status == 200) return std::nullopt;
  return answer;
}

Answer Site::guarded(const std::function<Answer()>& make) {
  Answer answer;
  try {
    answer = make();
  } catch (const Refusal& refusal) {
    answer = refused(refusal.status, refusal.what);
  } catch (const Error& error) {
    answer = refused(error.code() == ExitCode::usage ? 400 : 500, error.what());
  } catch (const std::exception& error) {
    answer = refused(500, error.what());
  }
  answer.headers.insert({{"Cache-Control", "no-store"},
                         {"X-Content-Type-Options", "nosniff"},
                         {"Referrer-Policy", "no-referrer"},
                         {"Cross-Origin-Resource-Policy", "same-origin"},
                         {"Content-Security-Policy",
                          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                          "img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}});
  return answer;
}

Answer Site::routed(const Request& request) const {
  const std::string& path = request.path;
  if (path == "/api/write") {
    if (request.method != "POST") throw Refusal{405, "/api/write takes POST"};
    return write(request);
  }
  if (request.method != "GET") throw Refusal{405, path + " takes GET"};
  for (const Part& part : page)
    if (path == part.path) return {.type = std::string(part.type) + "; charset=utf-8", .body = std::string(part.text)};
  if (path == "/api/runs") return runs();
  if (path == "/api/records") return records(request);
  throw Refusal{404, "there is nothing at " + path};
}

/// A page from elsewhere must not be able to read or drive this one: neither by a name that leads here (DNS rebinding),
/// nor by a request of its own.
void Site::check(const Request& request) const {
  const std::string host = value_of(request.headers, "host"), origin = value_of(request.headers, "origin");
  if (!parts_.hosts.empty() && std::ranges::find(parts_.hosts, host) == parts_.hosts.end())
    throw Refusal{403, "this page is not served under that name"};
  if (!origin.empty() && origin != "http://" + host) throw Refusal{403, "a request of another page"};
  const bool secret = request.path.starts_with("/api/");  // nothing else is
  if (parts_.token.empty() || !secret) return;
  const std::string sent = value_of(request.headers, "x-charnn-token");
  if ((sent.empty() ? value_of(request.query, "token") : sent) != parts_.token)
    throw Refusal{403, "the token is missing or wrong: use the address that charnn play printed"};
}

Run Site::run_named(const std::string& name) const {
  const std::vector<Run> all = parts_.runs();
  const auto found = std::ranges::find(all, name, &Run::name);
  if (found == all.end()) throw Refusal{404, "there is no run of that name"};
  return *found;
}

Answer Site::runs() const {
  ordered_json list = ordered_json::array();
  for (const Run& run : parts_.runs())
    list.push_back({{"name", run.name}, {"checkpoints", run.checkpoints}, {"metrics", !run.metrics.empty()}});
  return {.body = to_ascii({{"runs", std::move(list)}})};
}

/// The lines of metrics.jsonl after a cursor, as they are; the next cursor and whether more follow are headers.
Answer Site::records(const Request& request) const {
  constexpr std::size_t most = 1 << 20;
  const Run run = run_named(value_of(request.query, "run"));
  if (run.metrics.empty() || !std::filesystem::exists(run.metrics)) throw Refusal{404, "the run has no records yet"};
  const InputFile file(run.metrics, "metrics file");
  const std::string cursor = value_of(request.query, "cursor");
  const std::size_t begin = offset_of(file, cursor);
  std::string lines(std::min(most, file.size() - begin), '\0');
  file.read(begin, lines);
  const bool more = begin + lines.size() < file.size();
  lines.resize(lines.rfind('\n') + 1);  // a line that is being written waits; of a line above a MiB nothing comes
  const std::string next = cursor_of(file, begin + lines.size()), goes_on = more && !lines.empty() ? "1" : "0";
  return {.type = "application/x-ndjson",
          .body = std::move(lines),
          .headers = {{"X-Cursor", next},
                      {"X-Anew", begin == 0 ? "1" : "0"},
                      {"X-More", goes_on},
                      {"X-Age", fmt::format("{:.1f}", age_of(run.metrics))}}};
}

Answer Site::write(const Request& request) const {
  // Of what a page elsewhere can send without being asked for leave, nothing has this type.
  if (!value_of(request.headers, "content-type").starts_with("application/json"))
    throw Refusal{415, "/api/write takes application/json"};
  json wanted;
  try {
    wanted = parse_strict(request.body);
  } catch (const std::invalid_argument& error) {
    throw Refusal{400, std::string("the request is ") + error.what()};
  }
  if (!wanted.is_object()) throw Refusal{400, "the request is no JSON object"};
  const auto taken = [&](const char* key) {
    const json value = wanted.value(key, json());
    wanted.erase(key);
    if (!value.is_string()) throw Refusal{400, fmt::format("the request has no text \"{}\"", key)};
    return value.get<std::string>();
  };
  const Run run = run_named(taken("run"));
  const std::string checkpoint = taken("checkpoint");
  if (std::ranges::find(run.checkpoints, checkpoint) == run.checkpoints.end())
    throw Refusal{404, "the run has no checkpoint of that name"};
  if (wanted.contains("id") || wanted.contains("cancel"))
    throw Refusal{400, "\"id\" and \"cancel\" are of no use here: close the connection"};
  if (wanted.contains("expected") && wanted.value("stream", json()) != true)
    throw Refusal{400, "\"expected\" without \"stream\": true, which would keep too much in memory"};
  return {.type = "application/x-ndjson", .lines = parts_.write(run, checkpoint, wanted)};
}
}  // namespace charnn::play
