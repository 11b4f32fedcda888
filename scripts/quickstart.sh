#!/usr/bin/env bash
# From nothing to a network that writes Shakespeare-like text: installs, builds, trains, samples.
# A second run re-uses all that is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

minutes=2
offline=false
usage() { echo "usage: scripts/quickstart.sh [--offline] [--minutes N]
  --offline    only the counting corpus, which comes with charnn; nothing but missing packages is downloaded
  --minutes N  time to train on Shakespeare (default 2)"; }
while [ $# -gt 0 ]; do
  case $1 in
    --offline) offline=true ;;
    --minutes) minutes=${2:-}; shift
      [[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || { usage >&2; exit 2; } ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
say() { printf '\n== %s\n' "$*"; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Runs a command whose output nobody needs unless it fails.
quietly() {
  echo "  $*"
  "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

cat <<END
This will
  1. install what is missing with apt-get: up to 378 packages, 313 MB to download, 1.3 GB on disk
  2. build charnn: 2 to 4 minutes
  3. let a trained network write, and train a tiny one to count: seconds
END
$offline || echo "  4. fetch the works of Shakespeare (5 MB) and train a network on them for $minutes minutes"

say "installing"
packages=("${build_packages[@]}" "${torch_packages[@]}")
$offline || packages+=("${python_packages[@]}")
quietly install_packages "${packages[@]}"

say "building"
quietly cmake --preset release
quietly cmake --build --preset release
charnn=build/release/charnn

say "what a network writes that was trained before"
$charnn sample models/shakespeare.safetensors --prompt 'KING.\n' --length 300 --seed 1

say "learning to count"
[ -e runs/counting/best.safetensors ] || $charnn train configs/counting.json --out runs/counting --overwrite
echo "The network goes on from '1 2':"
$charnn sample runs/counting --prompt "1 2" --length 40 --temperature 0
echo
if $offline; then
  say "next: your own text"
  echo "  $charnn train YOUR.txt"
  exit 0
fi

say "the complete works of Shakespeare"
data/get_shakespeare.sh

say "learning to write: $minutes minutes (Ctrl-C stops and saves)"
run=runs/shakespeare
if [ -e $run/last.safetensors ]; then
  $charnn train --resume --out $run --max-minutes "$minutes"
else
  # The network that this machine can train best in this time.
  $charnn init data/shakespeare.txt --minutes "$minutes" --out runs/shakespeare.json --overwrite
  $charnn train runs/shakespeare.json --out $run
fi

say "what it writes after $minutes minutes"
$charnn sample $run --prompt 'KING.\n' --length 500 --seed 1
echo

say "next"
cat <<END
  $charnn sample $run --temperature 0.5                     another text, more careful
  $charnn sample $run --interactive                         talk to it
  $charnn train YOUR.txt                                    a text of your own
END
