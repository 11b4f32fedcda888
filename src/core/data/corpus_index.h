#pragma once

#include <cstdint>
#include <vector>

#include "core/base/files.h"
#include "core/data/data_config.h"

namespace charnn {

/// What tells one corpus from another when a run is resumed.
struct Fingerprint {
  std::int64_t bytes = 0;
  std::uint64_t hash = 0;  ///< XXH3, 64 bits, of the joined text
  bool operator==(const Fingerprint&) const = default;
};

/// What going through a text once has told, so that the next start need not do it again.
struct CorpusIndex {
  struct File {
    FileStamp stamp;
    std::uint64_t sample = 0;  ///< TextFile::sample()
    std::int64_t symbols = 0;
    std::vector<std::uint16_t> block_lengths;  ///< of the CharacterIndex; empty if every symbol is one byte
  };
  Tokens tokens = Tokens::chars;
  Fingerprint fingerprint;
  std::vector<char32_t> characters;  ///< ascending; none for bytes
  std::vector<File> files;
};

}  // namespace charnn
