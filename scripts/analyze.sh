#!/usr/bin/env bash
# Static analysis of all sources, tests included: clang-tidy (.clang-tidy) and cppcheck, both without findings.
#   scripts/analyze.sh                all
#   scripts/analyze.sh --quick        cppcheck only: seconds, where clang-tidy takes an hour
#   scripts/analyze.sh FILE.cpp...    clang-tidy only, of these files
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
quick=false
if [ "${1:-}" = --quick ]; then quick=true; shift; fi
[[ ${1:-} != -* ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
install_packages "${build_packages[@]}" "${test_packages[@]}" "${torch_packages[@]}" python3 "${analysis_packages[@]}"

# A compile database is all that is wanted of this folder; clang cannot read GCC's precompiled headers.
build=build/analyze
cmake -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++-14 \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCHARNN_BUILD_TESTS=ON -DTorch_DIR= -DCMAKE_PREFIX_PATH=/usr >/dev/null

if [ $# = 0 ]; then
  # Without LibTorch's headers, which it would take as long to read as a compiler.
  cppcheck --quiet --std=c++20 --language=c++ --library=posix --library=googletest --enable=warning,performance,portability \
    --inline-suppr --suppressions-list=scripts/cppcheck.supp --error-exitcode=1 -j "$(nproc)" \
    -I include -I $build/src -I src -I . src tests
  echo "cppcheck: nothing found"
fi
! $quick || exit 0
scripts/analyze.py $build "$@"
