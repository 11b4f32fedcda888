#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, and runs every test.
#   scripts/test.sh                       against the system's LibTorch (Debian's libtorch-dev)
#   scripts/test.sh --libtorch pip        against PyPI's torch, in .venv (made if missing, about 5 GB)
#   scripts/test.sh --preset asan-ubsan   under AddressSanitizer and UndefinedBehaviorSanitizer
#   scripts/test.sh --preset tsan         those of threads and kernels under ThreadSanitizer
#   --tests REGEX                         only tests whose name matches
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

libtorch=system
preset=dev
only=()
while [ $# -gt 0 ]; do
  case $1 in
    --libtorch) libtorch=${2:-}; shift ;;
    --preset) preset=${2:-}; shift ;;
    --tests) only=(-R "${2:-}"); shift ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

packages=("${build_packages[@]}" "${test_packages[@]}" "${python_packages[@]}")
build=build/$preset
options=()
case $libtorch in
  system)
    packages+=("${torch_packages[@]}")
    # Not the active Python's torch, whatever it may be.
    options+=("-DTorch_DIR=" "-DCMAKE_PREFIX_PATH=/usr") ;;
  pip)
    build=$build-pip ;;
  *) echo "test.sh: --libtorch is system or pip, not '$libtorch'" >&2; exit 2 ;;
esac
install_packages "${packages[@]}"
if [ "$libtorch" = pip ]; then
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -c 'import torch, safetensors, tensorboard' 2>/dev/null || .venv/bin/python -m pip install -q torch safetensors numpy tensorboard
  torch=$(.venv/bin/python -c 'import torch, os; print(os.path.dirname(torch.__file__))')
  options+=("-DCMAKE_PREFIX_PATH=$torch" "-DCHARNN_TORCH_PYTHON=$PWD/.venv/bin/python")
fi

cmake --preset "$preset" -B "$build" "${options[@]}"
# The preset says what to build and to run; the build against PyPI's torch is of the same kind, in its own folder.
if [ "$libtorch" = system ]; then
  cmake --build --preset "$preset"
  tests=(--preset "$preset")
else
  cmake --build "$build"
  tests=(--test-dir "$build" --output-on-failure)
fi
# Several tests run at once: threads that wait by spinning would starve each other.
export OMP_WAIT_POLICY=passive
ctest "${tests[@]}" "${only[@]}" --no-tests=error -j "$(nproc)"
