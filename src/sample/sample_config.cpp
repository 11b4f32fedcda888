#include "charnn/sample/sample_config.h"

namespace charnn {

Section describe(SampleConfig& c) {
  return {
      "sample",
      "Writing text",
      {Field::real(
           "temperature", c.temperature, from_to(0, 100),
           "divides the logits: below 1 bolder towards the likely, above 1 wilder; 0: always the likeliest"),
       Field::integer("length", c.length, at_least(0), "characters to write"),
       Field::choice("weights", c.weights, step_weights_names,
                     "number format of the weights while sampling; auto: bf16 for networks too large for the "
                     "processor's cache (twice as fast there), else fp32")}};
}

}  // namespace charnn
