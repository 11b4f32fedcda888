#include <filesystem>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include "charnn_model_py.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/text_maker.h"
#include "core/train/sink.h"
#include "extras/pytorch/torch_state_dict.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

struct ExportOptions {
  ModelChoice model;
  std::string format = "pytorch";
  std::string out;
};

struct ImportOptions {
  std::string weights;
  std::string vocabulary;
  std::string out;
  StateDictNames names;
  bool tanh = false;  ///< of an nn.RNN
  bool sum_of_layers = false;
};

/// What charnn_model.py needs to know besides the weights.
nlohmann::ordered_json description_of(const LoadedModel& loaded) {
  const ModelConfig& model = loaded.config.model;
  const Vocabulary& vocabulary = loaded.checkpoint.vocabulary;
  nlohmann::ordered_json symbols;  // null: the 256 bytes
  if (vocabulary.tokens() == Tokens::chars) {
    std::string text;
    for (const char32_t symbol : vocabulary.symbols()) text += encode_utf8(symbol);
    symbols = text;
  }
  return {{"charnn_version", version},
          {"cell", name_of(model.cell, cell_names)},
          {"layers", model.layers},
          {"hidden", model.hidden},
          {"embedding", model.embedding},
          {"sums_layers", model.sums_layers()},
          {"beginning", beginning_of(loaded)},
          {"document_separator", loaded.config.data.document_separator},
          {"symbols", symbols}};
}

/// What a reader of the folder should know first.
std::string model_card(const LoadedModel& loaded) {
  const ModelConfig& m = loaded.config.model;
  const TrainState& train = loaded.checkpoint.train;
  std::vector<std::string> names;
  for (const std::string& file : loaded.config.data.files) names.push_back(fs::path(file).filename().string());
  TextMaker maker(loaded, StepWeights::fp32, /*threads=*/1, /*many=*/false);
  TextOptions text;
  text.config = loaded.config.sample;
  text.config.length = 300;
  TextJob job = maker.prepare(text).job;
  job.seed = 1;
  return fmt::format(
      "# A character-level {} by charnn\n\n{} x {} units, {} weights, {} symbols. Trained on {}: {} characters read "
      "in {} steps.\nValidation loss: {}.\n\n```\npython charnn_model.py --prompt \"...\" --length 200 --temperature "
      "0.8\n```\n\nIt writes (seed 1, temperature {:g}):\n\n```\n{}\n```\n",
      name_of(m.cell, cell_names), m.layers, m.hidden, loaded.checkpoint.layout.size(),
      loaded.checkpoint.vocabulary.size(), names.empty() ? "a text" : fmt::format("{}", fmt::join(names, ", ")),
      train.chars, train.step, train.best_loss ? describe_loss(*train.best_loss) : "not measured",
      text.config.temperature, safe_for_terminal(maker.write(std::move(job))));
}

/// The weights to use the network with, and no more: a checkpoint to sample from, a third of the size.
void export_weights(LoadedModel loaded, const ExportOptions& options, const Globals& globals) {
  if (fs::exists(options.out))
    fail_input(options.out + " exists already", "a new file", "choose another with --out FILE");
  Checkpoint& checkpoint = loaded.checkpoint;
  checkpoint.weights = checkpoint.best_weights();
  checkpoint.average = checkpoint.exp_avg = checkpoint.exp_avg_sq = {};
  checkpoint.state = State::zeros(checkpoint.layout.config(), 1);
  checkpoint.generators.clear();
  save_checkpoint(options.out, checkpoint);
  if (globals.quiet) return;
  say("charnn: exported the weights of {} to {}", loaded.path, options.out);
  say("sample: charnn sample {}", options.out);
}

int export_model(const ExportOptions& options, const Globals& globals) {
  const LoadedModel loaded = load_model(options.model);
  if (options.format == "weights") {
    export_weights(loaded, options, globals);
    return 0;
  }
  const Checkpoint& checkpoint = loaded.checkpoint;
  // Refused here, not when the program runs.
  checkpoint.vocabulary.encode(loaded.config.data.document_separator, "data.document_separator");
  std::error_code error;
  if (fs::is_directory(options.out, error) && !fs::is_empty(options.out, error) && !error)
    fail_input(fmt::format("{} is not empty", options.out), "a new folder", "choose another with --out DIR");
  make_folder(options.out, "folder", "--out");
  const char* decoder_input = name_of(loaded.config.model.decoder_input, decoder_input_names);
  const std::vector<std::pair<std::string, std::string>> metadata{{"format", "pt"}, {"decoder_input", decoder_input}};
  write_file(options.out + "/model.safetensors",
             encode_safetensors(weight_tensors("", checkpoint.layout, checkpoint.best_weights()), metadata));
  write_file(options.out + "/model.json", description_of(loaded).dump(2) + "\n");
  write_file(options.out + "/config.json", to_json_text(loaded.config));
  write_file(options.out + "/charnn_model.py", charnn_model_py);
  write_file(options.out + "/README.md", model_card(loaded));
  if (globals.quiet) return 0;
  say("charnn: exported {} to {} as a PyTorch program", loaded.path, options.out);
  say("sample: python {}/charnn_model.py --length 200", options.out);
  return 0;
}

/// The checkpoint of a run that is about to take its first step.
Checkpoint first_checkpoint(ImportedNetwork network, const Config& config) {
  seed_generators(static_cast<std::uint64_t>(config.train.seed));
  const NetworkLayout layout(network.config, network.vocabulary.size());
  const std::vector<float> zeros(network.weights.size());
  const State state = State::zeros(network.config, config.train.batch_size);
  return {
      to_json_text(config), std::move(network.vocabulary), {}, layout, std::move(network.weights), zeros, zeros, state,
      capture_generators()};
}

int import_model(const ImportOptions& options, const Globals& globals) {
  const RunFolder run(options.out);
  const auto require_free = [&] {
    if (run.holds_run())
      fail_input(fmt::format("{} already holds a run", run.path()), "a new folder", "choose another with --out RUN");
  };
  require_free();
  const auto symbols =
      parse_symbol_order(read_file(options.vocabulary, "vocabulary"),
                         fs::path(options.vocabulary).extension() == ".json", "vocabulary " + options.vocabulary);
  const SafeTensors file = read_safetensors(options.weights, "weights");
  ImportedNetwork network = from_state_dict(file.tensors, symbols, options.names, "weights " + options.weights);
  const std::string* written_by_export = file.find_metadata("decoder_input");
  if (options.sum_of_layers || (written_by_export != nullptr && *written_by_export == "sum"))
    network.config.decoder_input = DecoderInput::sum;
  if (network.config.cell == Cell::rnn && !options.tanh)
    fail_input("weights " + options.weights + ": an nn.RNN, whose nonlinearity a state_dict does not record",
               "nonlinearity=\"tanh\", which is PyTorch's default; charnn has no ReLU cell",
               "if it is tanh, say so: --nonlinearity tanh");
  Config config;
  config.model = network.config;
  config.train.precision = Precision::fp32;
  const Checkpoint checkpoint = first_checkpoint(std::move(network), config);

  run.create();
  const FileLock lock = run.lock();
  require_free();
  write_file(run.config(), checkpoint.config);
  save_checkpoint(run.best(), checkpoint);
  save_checkpoint(run.last(), checkpoint);
  if (globals.quiet) return 0;
  const ModelConfig& model = config.model;
  say("charnn: {}: {}, {} layers of {}, embedding {}, {} symbols", run.path(), name_of(model.cell, cell_names),
      model.layers, model.hidden, model.embedding, checkpoint.vocabulary.size());
  say("sample: charnn sample {}", run.path());
  say("train:  charnn train --init-from {} --data FILE --out ANOTHER", run.path());
  return 0;
}

void add_export_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "write a network as a small Python program with its weights");
  add_model_choice(*command, options->model);
  command
      ->add_option("--format", options->format,
                   "pytorch: a folder with weights, charnn_model.py and a model card; weights: one file to sample from")
      ->check(CLI::IsMember({"pytorch", "weights"}))
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "new folder, or file, to write to")->required()->type_name("DIR|FILE");
  on_chosen(command, action, [options, &globals] { return export_model(*options, globals); });
}

void add_import_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand("import", "create a run folder from a network trained in PyTorch");
  command
      ->add_option("weights", options->weights,
                   "state_dict of a model with nn.Embedding (or one-hot input), nn.RNN, nn.GRU or nn.LSTM, and "
                   "nn.Linear, as safetensors.torch.save_file writes it")
      ->required()
      ->type_name("WEIGHTS.safetensors");
  command
      ->add_option("--vocab", options->vocabulary,
                   "its characters, in the order of their ids. NAME.json: an array, or an object {character: id} or "
                   "{id: character}; any other file: just these characters as text")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--out", options->out, "run folder to create")->required()->type_name("RUN");
  command
      ->add_option_function<std::string>(
          "--nonlinearity", [options](const std::string&) { options->tanh = true; }, "of an nn.RNN; tanh only")
      ->check(CLI::IsMember({"tanh"}));
  command
      ->add_option_function<std::string>(
          "--decoder-input", [options](const std::string& input) { options->sum_of_layers = input == "sum"; },
          "what the decoder reads: the last layer, or the sum of all; default: last, or as charnn export wrote it")
      ->check(CLI::IsMember({"last", "sum"}));
  command->add_option("--embedding-name", options->names.embedding, "tensor of the embedding, if ambiguous")
      ->type_name("NAME");
  command->add_option("--decoder-name", options->names.decoder, "weight of the last linear layer, if ambiguous")
      ->type_name("NAME");
  command->add_option("--rnn-name", options->names.rnn, "prefix of the weight_ih_l0 to import, if there are several")
      ->type_name("PREFIX");
  on_chosen(command, action, [options, &globals] { return import_model(*options, globals); });
}
}  // namespace

void add_pytorch(Extras& extras) {
  extras.commands.emplace_back(add_export_command);
  extras.commands.emplace_back(add_import_command);
}
}  // namespace charnn::cli
