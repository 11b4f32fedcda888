#!/usr/bin/env bash
# Builds charnn, on a machine without a GPU, for one that has PyTorch and a GPU, and packs what has to be carried there.
#
#   scripts/gpu_bundle.sh VERSION OUT.tar.gz    VERSION: the other machine's torch.__version__, such as 2.11.0
#   there: tar xf OUT.tar.gz; charnn-gpu/scripts/gpu_check.sh charnn-gpu/bin TEXT
set -euo pipefail
version=${1:?VERSION} out=$(realpath "${2:?OUT.tar.gz}")
cd "$(dirname "$0")/.."
. scripts/packages.sh
version=${version%%+*}  # PyPI has 2.11.0, where PyTorch says 2.11.0+cu130
install_packages "${build_packages[@]}" "${python_packages[@]}" libgtest-dev
venv=build/torch-$version
if [ ! -e "$venv/done" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --no-deps "torch==$version"  # its CUDA libraries are not needed to build
  touch "$venv/done"
fi
torch=$(echo "$PWD/$venv"/lib/python*/site-packages/torch)
build=build/gpu-$version
cmake --preset release -B "$build" -DCMAKE_PREFIX_PATH="$torch" -DCHARNN_BUILD_TESTS=ON \
  -DCHARNN_TORCH_PYTHON="$PWD/$venv/bin/python" \
  -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined,--disable-new-dtags -DCMAKE_BUILD_RPATH='$ORIGIN/lib'
cmake --build "$build" --target charnn model_test
folder=$(mktemp -d)/charnn-gpu
mkdir -p "$folder"/{bin/lib,scripts,bench,tests/cli}
cp "$build/charnn" "$build/model_test" "$folder/bin"
# The C library, GCC's and LibTorch are the other machine's.
ldd "$build/charnn" "$build/model_test" | awk '$3 ~ "^/(usr/)?lib/" {print $3}' | sort -u |
  grep -vE "/lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+)\.so" | xargs cp -L -t "$folder/bin/lib"
cp scripts/gpu_check.sh "$folder/scripts"
cp bench/gpu.py "$folder/bench"
cp tests/__init__.py "$folder/tests"
cp tests/cli/{__init__,support,test_device}.py "$folder/tests/cli"
tar czf "$out" -C "$(dirname "$folder")" charnn-gpu
rm -r "$(dirname "$folder")"
ls -lh "$out"
