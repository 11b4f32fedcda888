#include <algorithm>
#include <filesystem>
#include <memory>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/cli/runtime.h"
#include "extras/pytorch/symbol_order.h"
#include "extras/pytorch/torch_state_dict.h"

namespace charnn::cli {
namespace {
struct Options {
  std::string weights;
  std::string vocabulary;
  std::string out;
  StateDictNames names;
};

void require_free(const RunFolder& run) {
  if (run.holds_run())
    fail_input(fmt::format("{} already holds a run", run.path()), "a new folder", "choose another with --out RUN");
}

/// As a run has it that is about to take its first step.
Checkpoint first_checkpoint(ImportedNetwork network, const Config& config) {
  seed_generators(static_cast<std::uint64_t>(config.train.seed));
  const NetworkLayout layout(network.config, network.vocabulary.size());
  const std::vector<float> zeros(network.weights.size());
  return {to_json_text(config),
          std::move(network.vocabulary),
          {},
          layout,
          std::move(network.weights),
          zeros,
          zeros,
          State::zeros(network.config, config.train.batch_size),
          capture_generators(Device::cpu)};
}

int import_model(const Options& options, const Globals& globals) {
  const RunFolder run(options.out);
  require_free(run);
  const bool is_json = std::filesystem::path(options.vocabulary).extension() == ".json";
  const auto symbols =
      parse_symbol_order(read_file(options.vocabulary, "vocabulary"), is_json, "vocabulary " + options.vocabulary);
  ImportedNetwork network = from_state_dict(read_safetensors(options.weights, "weights").tensors, symbols,
                                            options.names, "weights " + options.weights);
  Config config;
  config.model = network.config;
  const Checkpoint checkpoint = first_checkpoint(std::move(network), config);

  run.create();
  const FileLock lock = run.lock();
  require_free(run);
  write_file(run.config(), checkpoint.config);
  save_checkpoint(run.best(), checkpoint);
  save_checkpoint(run.last(), checkpoint);
  if (globals.quiet) return 0;
  const ModelConfig& model = config.model;
  say("charnn: {}: {}, {} layers of {}, embedding {}, {} symbols", run.path(), name_of(model.cell, cell_names),
      model.layers, model.hidden, model.embedding, checkpoint.vocabulary.size());
  if (model.cell == Cell::rnn)
    say("taken for a network with tanh: a state_dict does not tell (nonlinearity=\"relu\" writes nonsense)");
  say("sample: charnn sample {}", run.path());
  say("train:  charnn train --init-from {} --data FILE --out ANOTHER", run.path());
  return 0;
}
}  // namespace

void add_import_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("import", "make a run folder of a network trained in PyTorch");
  command
      ->add_option("weights", options->weights,
                   "state_dict of a model with nn.Embedding (or one-hot input), nn.RNN, nn.GRU or nn.LSTM, and "
                   "nn.Linear, as safetensors.torch.save_file writes it")
      ->required()
      ->type_name("WEIGHTS.safetensors");
  command
      ->add_option("--vocab", options->vocabulary,
                   "its characters, in the order of their numbers. NAME.json: an array, or an object from characters "
                   "to numbers or back; else a text of just these characters")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--out", options->out, "run folder to make")->required()->type_name("RUN");
  command
      ->add_option("--embedding-name", options->names.embedding,
                   "name of the embedding's tensor, where neither its shape nor its name tells")
      ->type_name("NAME");
  command->add_option("--decoder-name", options->names.decoder, "the same of the last linear layer's weight")
      ->type_name("NAME");
  command
      ->add_option("--rnn-name", options->names.rnn,
                   "of several recurrent networks the one to take: what comes before weight_ih_l0")
      ->type_name("PREFIX");
  on_chosen(command, action, [options, &globals] { return import_model(*options, globals); });
}
}  // namespace charnn::cli
