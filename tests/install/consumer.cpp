// Uses an installed charnn as another project would.
#include <cstdio>

#include "fast/stepper.h"

int main() {
  const charnn::CharRnn model({}, 65);
  const charnn::Stepper stepper(model);
  charnn::StepState state = stepper.zero_state();
  std::vector<float> logits;
  stepper.step(state, 1, logits);
  std::printf("%zu logits\n", logits.size());
  return logits.size() == 65 ? 0 : 1;
}
