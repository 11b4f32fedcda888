#include "core/cli/train_group.h"
#include <algorithm>
#include <filesystem>
#include <optional>
#include <sched.h>
#include <sstream>
#include <unistd.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/version.h"
#include "core/model/torch_runtime.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"

namespace charnn::cli {
namespace {
/// Where two texts first differ.
std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  std::istringstream lines_a(a), lines_b(b);
  std::string line_a, line_b;
  do {
    line_a = line_b = "";
    std::getline(lines_a, line_a);
    std::getline(lines_b, line_b);
  } while (line_a == line_b && (lines_a || lines_b));
  return {line_a, line_b};
}

/// What the bits that training computes depend on.
std::string build_facts() {
  return fmt::format("charnn {}\nLibTorch {}\ninstructions {}\nbfloat16 unit {}\n", version, torch_version(),
                     instruction_set(), static_cast<int>(bf16_unit()));
}

/// What the user asks for, as lines.
std::string options_of(const TrainRequest& request) {
  Config config;
  std::string text;
  for (const std::string& key : request.input.apply(config)) text += key + " given\n";
  if (std::count(config.data.files.begin(), config.data.files.end(), "-") > 0)
    fail_input("text from standard input for several processes", "files, which each of them can read",
               "save it in a file first");
  return to_json_text(config) + text +
         fmt::format("--resume {}\n--stop-at {}\n--reset-optimizer {}\n--extend-vocab {}\n", request.resume,
                     request.stop_at, request.reset_optimizer, request.extend_vocab);
}

std::string launcher(const Place& place) { return fmt::format("{} {}\n", place.torchrun, ::getppid()); }

/// True if torchrun has started all processes again, and they have trained in the run folder before.
bool restarted(const Place& place, const TrainRequest& request) {
  if (place.restarts == 0) return false;
  const RunFolder run = run_of(request);
  return std::filesystem::exists(run.last()) && std::filesystem::exists(run.lock_file()) &&
         read_file(run.lock_file(), "lock") == launcher(place);
}
}  // namespace

void together(Group& group, const std::function<void()>& work) {
  if (group.size() == 1) return work();
  std::optional<Error> own;
  try {
    work();
  } catch (const Error& error) {
    own = error;
  }
  const auto reports = group.gather(own ? fmt::format("{}{}", static_cast<int>(own->code()), own->what()) : "");
  if (own && (group.leads() || reports[0] != reports[static_cast<std::size_t>(group.rank())])) throw *own;
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    if (reports[rank].empty()) continue;
    const auto code = static_cast<ExitCode>(reports[rank][0] - '0');
    const std::string what = reports[rank].substr(1);
    if (!group.leads()) throw Relayed(code, what, "", "");
    throw Error(code, fmt::format("process {} of {}: {}", rank, group.size(), what), "", "");
  }
}

void require_same(Group& group, const std::string& what, const std::string& text) {
  const auto all = group.gather(text);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    const auto [expected, found] = first_difference(all[0], all[rank]);
    const std::string message = fmt::format("process {} of {} has another {}: {}", rank, group.size(), what, found);
    if (!group.leads()) throw Relayed(ExitCode::usage, message, "", "");
    fail_input(message, expected + ", as process 0", "start all processes in the same way");
  }
}

TrainStart start_together(Group& group, TrainRequest& request) {
  request.processes = group.size();
  if (group.size() > 1) {
    require_same(group, "program or processor", build_facts());
    std::string options;
    together(group, [&] { options = options_of(request); });
    require_same(group, "config", options);
  }
  if (group.most(group.leads() && restarted(group.place(), request)) != 0) {
    request.resume = true;
    request.overwrite = request.reset_optimizer = false;  // done before
    request.init_from.clear();
  }
  std::optional<TrainStart> start;
  together(group, [&] {
    if (group.leads()) start = request.resume ? resume_run(request) : begin_run(request);
  });
  if (group.size() == 1) return std::move(*start);
  nlohmann::json facts;
  if (start)
    facts = {{"config", to_json_text(start->config)},
             {"resumed", start->resumed},
             {"new_rate", start->new_rate},
             {"new_time", start->new_time}};
  facts = nlohmann::json::parse(group.broadcast(facts.dump()));
  const std::string bytes = group.broadcast(start && start->checkpoint ? encode_checkpoint(*start->checkpoint) : "");
  if (start) return std::move(*start);
  TrainStart other{RunFolder(""), config_from_json(facts["config"].get<std::string>(), "config of process 0")};
  if (!bytes.empty()) other.checkpoint = decode_checkpoint(bytes, "checkpoint of process 0");
  other.resumed = facts["resumed"];
  other.new_rate = facts["new_rate"];
  other.new_time = facts["new_time"];
  return other;
}

Place place_among_cpus(Group& group) {
  Place place = group.place();
  std::string here(256, '\0');
  ::gethostname(here.data(), here.size() - 1);
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) here += CPU_ISSET(cpu, &cpus) ? '1' : '0';
  const auto all = group.gather(here);
  place.local_size = static_cast<int>(std::count(all.begin(), all.end(), here));
  return place;
}

void note_launcher(const Place& place, const TrainStart& start) {
  if (!place.torchrun.empty()) start.lock->note(launcher(place));
}

Checkpoint load_together(Group& group, const std::string& path) {
  if (group.size() == 1) return load_checkpoint(path);
  std::string bytes;
  together(group, [&] {
    if (group.leads()) bytes = encode_checkpoint(load_checkpoint(path));
  });
  return decode_checkpoint(group.broadcast(std::move(bytes)), "checkpoint of process 0");
}
}  // namespace charnn::cli
