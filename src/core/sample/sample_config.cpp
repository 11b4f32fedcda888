#include "core/sample/sample_config.h"

namespace charnn {
Section describe(SampleConfig& c) {
  const Range share{.min = 0, .max = 1, .min_excluded = true};
  return {
      "sample",
      "Writing text",
      {Field::real("temperature", c.temperature, from_to(0, 100),
                   "divides the logits: below 1 bolder towards the likely, above 1 wilder; 0: always the likeliest"),
       Field::integer("length", c.length, at_least(0), "characters to write"),
       Field::integer("top_k", c.top_k, at_least(0), "draw from the K likeliest characters only; 0: from all"),
       Field::real("top_p", c.top_p, share,
                   "draw from the fewest characters, likeliest first, that have this share of the probability"),
       Field::real("min_p", c.min_p, from_to(0, 1),
                   "draw only from what is at least this share as likely as the likeliest character"),
       Field::real("typical", c.typical, share,
                   "draw from the characters nearest to the expected surprise that have this share of the probability"),
       Field::real("repetition_penalty", c.repetition_penalty, from_to(0.01, 100),
                   "power of the probability of characters among the last penalty_window ones; above 1: less likely"),
       Field::real("frequency_penalty", c.frequency_penalty, from_to(-100, 100),
                   "taken off a character's log probability for each time it is among the last penalty_window ones"),
       Field::integer("penalty_window", c.penalty_window, at_least(1),
                      "characters, the prompt's too, to which the penalties look back"),
       Field::text_list("bias", c.bias,
                        "added to the log probability of a character, e.g. e=-2; -inf: never. May be given several "
                        "times")
           .with_value_name("CHAR=NUMBER"),
       Field::text("only", c.only, "write no other characters than these; empty: any"),
       Field::integer("beams", c.beams, from_to(1, 1024),
                      "above 1: nothing is drawn; a search of that width for the likeliest text"),
       Field::choice("weights", c.weights, step_weights_names,
                     "number format of the weights while sampling; auto: bf16 for networks too large for the "
                     "processor's cache (twice as fast there), else fp32")}};
}
}  // namespace charnn
