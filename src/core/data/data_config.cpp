#include "core/data/data_config.h"

namespace charnn {
Section describe(DataConfig& c) {
  return {
      "data",
      "The text to learn from",
      {Field::text_list("files", c.files,
                        "text files, joined in the order given; paths are relative to the current folder")
           .with_flag("data")
           .with_value_name("FILE"),
       Field::choice("tokens", c.tokens, token_names,
                     "chars: one symbol is a Unicode code point of UTF-8 text; bytes: one of the 256 bytes of any file")
           .fixed_for_run(),
       Field::real("val_fraction", c.val_fraction, from_to_below(0, 1),
                   "share of the text kept for validation, after the training part; 0: none")
           .fixed_for_run(),
       Field::real("test_fraction", c.test_fraction, from_to_below(0, 1),
                   "share of the text kept for testing, at its end; never looked at in training")
           .fixed_for_run(),
       Field::text("document_separator", c.document_separator,
                   "text between two documents, for example a blank line (in a shell: $'\\n\\n'): the state "
                   "begins anew "
                   "after it, and no gradient passes it; empty: one continuous text")
           .fixed_for_run()}};
}
}  // namespace charnn
