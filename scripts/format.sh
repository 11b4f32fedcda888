#!/usr/bin/env bash
# Formats all C++ sources as .clang-format says.
#   scripts/format.sh           changes the files
#   scripts/format.sh --check   fails if a file would change
set -euo pipefail
cd "$(dirname "$0")/.."
formatter=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is not installed" >&2; exit 1; }
options=(-i)
[ "${1:-}" = --check ] && options=(--dry-run -Werror)
find src include tests \( -name '*.cpp' -o -name '*.h' \) -print0 | xargs -0 "$formatter" "${options[@]}"
