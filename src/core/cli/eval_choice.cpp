#include "core/cli/eval_choice.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
void add_eval_choice(CLI::App& command, EvalChoice& choice) {
  command
      .add_option("--window", choice.options.window,
                  "reset the state every N characters; 0: carry it over the whole text")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--streams", choice.options.streams,
                  "read the text as N streams at once, each warmed up on the 256 characters before it; 1: unbroken; 0: "
                  "as many as suit its length")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option_function<std::string>(
          "--precision",
          [&choice](const std::string& name) {
            choice.precision = name == precision_names[0] ? Precision::fp32 : Precision::bf16;
          },
          "number format of the products on a CPU; bf16 is faster where the processor has it, and changes the loss by "
          "about 0.1 %")
      ->check(CLI::IsMember({precision_names[0], precision_names[1]}));
  command.add_option("--threads", choice.threads, "CPU threads; 0: one per core")->check(CLI::NonNegativeNumber);
}

std::unique_ptr<Network> make_network(const LoadedModel& model, const EvalChoice& choice) {
  const Device device =
      prepare_device(model.config.train.device == DeviceChoice::cpu ? DeviceChoice::cpu : DeviceChoice::automatic);
  auto network = std::make_unique<Network>(model.checkpoint.layout, model.checkpoint.weights, device);
  network->configure_cpu({.evaluation = choice.precision, .threads = cpu_threads(choice.threads)});
  return network;
}
}  // namespace charnn::cli
