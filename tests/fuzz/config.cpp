// A config file, with every section that charnn has. What is accepted must come back the same.
#include "core/cli/config.h"
#include "core/io/json_config.h"
#include "tests/fuzz/support.h"

using namespace charnn;

namespace {

cli::Config config;
const std::vector<Section> sections = describe(config);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  config = {};
  if (!fuzz::accepts([&] { read_config(fuzz::text_of(data, size), "config.json", sections); })) return 0;
  const std::string text = config_to_json(sections).dump();
  config = {};
  fuzz::require(fuzz::accepts([&] { read_config(text, "config.json", sections); }), "what was read is valid");
  fuzz::require(config_to_json(sections).dump() == text, "what was read comes back the same");
  return 0;
}
