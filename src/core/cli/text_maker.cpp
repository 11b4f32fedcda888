#include "core/cli/text_maker.h"

#include <utility>

#include "core/base/error.h"

namespace charnn::cli {
namespace {

/// Many texts share out the threads among them; one text's fastest number depends on the network.
int threads_for(std::int64_t asked, bool many) {
  return asked == 0 && many ? available_cpus() : static_cast<int>(asked);
}

}  // namespace

TextMaker::TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many)
    : model_(std::move(model)),
      stepper_(*model_.network, weights, threads_for(threads, many)),
      separator_(vocabulary().encode(model_.config.data.document_separator, "data.document_separator")) {}

TextOrder TextMaker::order(const TextOptions& options) const {
  TextOrder order;
  EncodedText prompt = encode(vocabulary(), options.prompt, options.prompt_name, options.unknown);
  order.shown_prompt = text(prompt.ids);
  order.note = std::move(prompt.note);
  order.prompt = beginning(vocabulary(), model_.config.data.document_separator);
  order.prompt.insert(order.prompt.end(), prompt.ids.begin(), prompt.ids.end());
  for (const std::string& stop : options.stops) {
    if (stop.empty()) fail_input("stop: an empty text", "a text that may occur", "leave it out");
    order.stops.push_back(vocabulary().encode(stop, "the stop"));
  }
  if (options.until_line) order.stops.push_back(vocabulary().encode("\n", "the line break that ends a line"));
  if (options.one_document && separator_.empty())
    fail_input("one document: the network was trained on one continuous text",
               "a network that was trained with --document-separator", "leave it out, or ask for a length");
  if (options.one_document) order.stops.push_back(separator_);
  order.sampler = std::make_shared<Sampler>(options.config, vocabulary());
  order.max_seconds = options.max_seconds;
  return order;
}

std::string TextMaker::text(const std::vector<std::int64_t>& ids) const {
  std::string all;
  for (const std::int64_t id : ids) all += vocabulary().text(id);
  return all;
}

void TextMaker::write(const TextOrder& order, std::uint64_t seed,
                      const std::function<bool(const std::vector<std::int64_t>&)>& show,
                      const std::function<bool()>& keep_on) const {
  UntilStop until(order.stops);
  const Deadline deadline(order.max_seconds);
  const auto emit = [&](std::int64_t id) { return show(until.add(id)) && !until.ended(); };
  generate(stepper_, separator_, {order.prompt, order.sampler, order.sampler->config().length, seed, emit},
           [&] { return !deadline.passed() && keep_on(); });
  show(until.rest());
}

}  // namespace charnn::cli
