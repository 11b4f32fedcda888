# Sourced by the other scripts: installs missing packages.

# What a build needs. libopenblas0-openmp: with another BLAS, Debian's LibTorch is several times slower.
build_packages=(g++ cmake ninja-build libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libutfcpp-dev libxxhash-dev libhwy-dev libprotozero-dev libedit-dev libcpp-httplib-dev pkg-config)
torch_packages=(libtorch-dev libopenblas0-openmp)
python_packages=(python3 python3-venv python3-pip)
test_packages=(libgtest-dev python3-jsonschema clang-format-14)
# Without these the tests of their completions, and of the manual page, are skipped.
shell_packages=(zsh fish groff mandoc)
# Without these the tests of play's page are.
browser_packages=(chromium chromium-driver python3-selenium)
# clang and libc++: clang-tidy needs a compile database of a clang, and its own standard library for LibTorch's headers.
analysis_packages=(clang-tidy-14 clang-14 libc++-14-dev libc++abi-14-dev cppcheck)
arm_packages=(g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 libgtest-dev:arm64)
fuzz_packages=(clang libclang-rt-dev llvm)  # llvm: names in the stacks of findings

# install_packages PACKAGE...: installs those that dpkg does not list as installed.
install_packages() {
  local missing=() package
  if ! command -v apt-get >/dev/null; then
    echo "This is not Debian or Ubuntu. Install the contents of these packages, then build with CMake (see README.md):" >&2
    echo "  $*" >&2
    exit 1
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || { echo "Please install as root: ${missing[*]}" >&2; exit 1; }
  echo "installing ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
