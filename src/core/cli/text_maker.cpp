#include "core/cli/text_maker.h"
#include <algorithm>
#include <utility>
#include "core/base/error.h"

namespace charnn::cli {
namespace {
/// Several texts share out the threads among them; one text's fastest number depends on the network.
int threads_for(std::int64_t asked, bool many) {
  return asked == 0 && many ? available_cpus() : static_cast<int>(asked);
}
}  // namespace

TextMaker::TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many)
    : model_(std::move(model)),
      stepper_(model_.checkpoint.layout, model_.checkpoint.weights, weights, threads_for(threads, many)),
      separator_(vocabulary().encode(model_.config.data.document_separator, "data.document_separator")) {}

PreparedText TextMaker::prepare(const TextOptions& options) const {
  PreparedText prepared;
  EncodedText prompt = encode(vocabulary(), options.prompt, options.prompt_name, options.unknown);
  prepared.shown_prompt = text(prompt.ids);
  prepared.note = std::move(prompt.note);
  TextJob& job = prepared.job;
  job.prompt = beginning(vocabulary(), model_.config.data.document_separator);
  job.prompt.insert(job.prompt.end(), prompt.ids.begin(), prompt.ids.end());
  for (const std::string& stop : options.stops) {
    if (stop.empty()) fail_input("stop: an empty string", "a string that may occur", "leave it out");
    job.stops.push_back(vocabulary().encode(stop, "the stop"));
  }
  if (options.until_line) job.stops.push_back(vocabulary().encode("\n", "the newline that ends a line"));
  if (options.one_document && separator_.empty())
    fail_input("one document: the network was trained on one continuous text",
               "a network that was trained with --document-separator", "leave it out, or ask for a length");
  if (options.one_document) job.stops.push_back(separator_);
  job.sampler = std::make_shared<Sampler>(options.config, vocabulary());
  job.length = options.config.length;
  job.max_seconds = options.max_seconds;
  return prepared;
}

std::string TextMaker::text(std::span<const std::int64_t> ids) const {
  std::string all;
  for (const std::int64_t id : ids) all += vocabulary().text(id);
  return all;
}

void add_text_options(CLI::App& command, TextOptions& text) {
  command.add_option("--stop", text.stops, "end the text before this string; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command.add_flag("--until-line", text.until_line, "end the text at the end of its line");
  command.add_flag("--one-document", text.one_document,
                   "end the text where the network ends the document (data.document_separator)");
  command.add_option("--max-seconds", text.max_seconds, "end the text after this time; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->type_name("S");
  command
      .add_option_function<std::string>(
          "--unknown",
          [&text](const std::string& name) {
            text.unknown = static_cast<OnUnknown>(std::find(on_unknown_names.begin(), on_unknown_names.end(), name) -
                                                  on_unknown_names.begin());
          },
          "characters of the prompt that the network does not know: refuse them (error), leave them out (skip), or "
          "put a space in their place (replace)")
      ->check(CLI::IsMember(std::vector<std::string>(on_unknown_names.begin(), on_unknown_names.end())));
}
}  // namespace charnn::cli
