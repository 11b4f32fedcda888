#!/usr/bin/env bash
# Compiles the kernels and their tests for 64-bit ARM, and runs them in an emulator. For Debian on another processor.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
if ! grep -qx ID=debian /etc/os-release; then
  echo "arm.sh: this needs Debian, whose archive has packages of other processors" >&2
  exit 1
fi
# To undo it: dpkg --remove-architecture arm64
[ -n "$(dpkg --print-foreign-architectures | grep -x arm64)" ] || as_root dpkg --add-architecture arm64
install_packages "${arm_packages[@]}"

build=build/arm
rm -rf $build
mkdir -p $build
compile() { ${CMAKE_CXX_COMPILER_LAUNCHER:-} aarch64-linux-gnu-g++ -std=c++20 -O2 -Wall -Wextra -Werror -Wno-psabi -Isrc -I. -c "$1" -o $build/"$(basename "$1")".o; }
export -f compile
export build
printf '%s\n' src/kernels/*.cpp tests/kernels/*_test.cpp | xargs -P "$(nproc)" -I{} bash -c 'compile {}'
aarch64-linux-gnu-g++ $build/*.o -lhwy -lgtest -lgtest_main -pthread -o $build/kernels_test
qemu-aarch64 $build/kernels_test --gtest_brief=1
