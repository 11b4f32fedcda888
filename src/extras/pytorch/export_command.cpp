#include <filesystem>
#include <memory>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "charnn_model_py.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

struct Options {
  ModelChoice model;
  std::string format = "pytorch";
  std::string out;
};

/// What charnn_model.py reads of a network besides its weights.
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
          {"document_separator", loaded.config.data.document_separator},
          {"symbols", symbols}};
}

/// Makes `folder`, which must not be there yet, or be empty.
void make_new_folder(const std::string& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error) && !fs::is_empty(folder, error) && !error)
    fail_input(fmt::format("{} exists, and is not empty", folder), "a new folder", "choose another with --out DIR");
  make_folder(folder, "folder", "--out");
}

int export_model(const Options& options, const Globals& globals) {
  const LoadedModel loaded = load_model(options.model);
  // Refused here, not by those who run it.
  loaded.checkpoint.vocabulary.encode(loaded.config.data.document_separator, "data.document_separator");
  make_new_folder(options.out);
  const std::string weights = options.out + "/model.safetensors";
  const std::string description = options.out + "/model.json";
  const std::string program = options.out + "/charnn_model.py";
  write_file(weights, encode_safetensors(weight_tensors("", loaded.checkpoint.layout, loaded.checkpoint.weights),
                                         {{"format", "pt"}}));
  write_file(description, description_of(loaded).dump(2) + "\n");
  write_file(program, charnn_model_py);
  if (globals.quiet) return 0;
  say("charnn: {} is in {}, as a program for PyTorch", loaded.path, options.out);
  say("sample: python {} --length 200", program);
  return 0;
}
}  // namespace

void add_export_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export", "write a network as a small Python program with its weights");
  add_model_choice(*command, options->model);
  command
      ->add_option("--format", options->format,
                   "pytorch: model.safetensors with PyTorch's names, and charnn_model.py that uses it")
      ->check(CLI::IsMember({"pytorch"}))
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "new folder to write to")->required()->type_name("DIR");
  on_chosen(command, action, [options, &globals] { return export_model(*options, globals); });
}
}  // namespace charnn::cli
