// Uses an installed charnn as another project would: consumer RUN [CONFIG OUT]
#include <fstream>
#include <iostream>
#include <iterator>
#include <charnn/charnn.h>

int main(int argc, char** argv) {
  charnn::Model model(argv[1]);
  std::cout << model.write({.prompt = "The ", .length = 40, .seed = 7}) << "\n";
  const charnn::Score score = model.score("The cat sat.");
  std::cout << score.chars << " characters, " << score.bits_per_char() << " bits per character\n";
  if (argc < 4) return 0;

  std::ifstream file(argv[2]);
  const std::string config(std::istreambuf_iterator<char>(file), {});
  std::int64_t steps = 0;
  const charnn::TrainResult result =
      charnn::train(config, argv[3], {.on_step = [&](auto step, double) { steps = step; }});
  std::cout << result.reason << " after " << steps << " steps, best loss " << result.best_loss.value() << "\n";
  return steps == result.step ? 0 : 1;
}
