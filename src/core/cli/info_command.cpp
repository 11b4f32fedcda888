#include <algorithm>
#include <filesystem>
#include <memory>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

std::string symbols_text(const Vocabulary& vocabulary) {
  if (vocabulary.tokens() == Tokens::bytes) return "all 256 bytes";
  constexpr std::size_t most = 300;
  const std::vector<char32_t>& symbols = vocabulary.symbols();
  std::string text;
  for (std::size_t i = 0; i < std::min(symbols.size(), most); ++i) text += (i == 0 ? "" : " ") + printable(symbols[i]);
  if (symbols.size() > most) text += fmt::format(" and {} more (--json lists all)", symbols.size() - most);
  return text;
}

ordered_json report_of(const LoadedModel& loaded) {
  const TrainState& train = loaded.checkpoint.train;
  const Vocabulary& vocabulary = loaded.checkpoint.vocabulary;
  ordered_json symbols = ordered_json::array(), best;
  if (vocabulary.tokens() == Tokens::chars)
    for (const char32_t symbol : vocabulary.symbols()) symbols.push_back(encode_utf8(symbol));
  if (train.best_loss)
    best = {{"step", train.best_step}, {"nats_per_char", *train.best_loss}, {"bits_per_char", bits(*train.best_loss)}};
  return {{"checkpoint", loaded.path},
          {"file_bytes", std::filesystem::file_size(loaded.path)},
          {"parameters", loaded.checkpoint.layout.size()},
          {"vocabulary_size", vocabulary.size()},
          {"tokens", name_of(vocabulary.tokens(), token_names)},
          {"symbols", symbols},
          {"step", train.step},
          {"optimizer_step", train.optimizer_step},
          {"lr_factor", train.rate.factor},
          {"epoch", train.cursor.epoch},
          {"chars", train.chars},
          {"best", best},
          {"corpus_bytes", train.corpus.bytes},
          {"corpus_hash", fmt::format("{:016x}", train.corpus.hash)},
          {"config", ordered_json::parse(to_json_text(loaded.config))}};
}

int info(const ModelChoice& choice, bool json) {
  const LoadedModel loaded = load_model(choice);
  if (json) {
    write_json(report_of(loaded));
    return 0;
  }
  const TrainState& train = loaded.checkpoint.train;
  const ModelConfig& model = loaded.config.model;
  const Vocabulary& vocabulary = loaded.checkpoint.vocabulary;
  std::string text = fmt::format("checkpoint  {} ({} bytes)\n", loaded.path, std::filesystem::file_size(loaded.path));
  text += fmt::format("network     {}, {} layers of {}, embedding {}, {} parameters\n", name_of(model.cell, cell_names),
                      model.layers, model.hidden, model.embedding, loaded.checkpoint.layout.size());
  text += fmt::format("trained     {} steps, {} characters, epoch {}\n", train.step, train.chars, train.cursor.epoch);
  if (train.best_loss)
    text += fmt::format("best        {:.6f} nats/char ({:.6f} bits/char) at step {}\n", *train.best_loss,
                        bits(*train.best_loss), train.best_step);
  text += fmt::format("corpus      {} bytes, hash {:016x}\n", train.corpus.bytes, train.corpus.hash);
  text += fmt::format("vocabulary  {}: {}\n", vocabulary.size(), symbols_text(vocabulary));
  text += "config      " + to_json_text(loaded.config);
  write_report(text);
  return 0;
}
}  // namespace

void add_info(CLI::App& app, Action& action) {
  struct Options {
    ModelChoice model;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("info", "show what a checkpoint contains");
  add_model_choice(*command, options->model);
  command->add_flag("--json", options->json, "print it as JSON");
  on_chosen(command, action, [options] { return info(options->model, options->json); });
}
}  // namespace charnn::cli
