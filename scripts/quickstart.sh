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

say "what is needed"
packages=("${build_packages[@]}" "${torch_packages[@]}")
$offline || packages+=("${python_packages[@]}")
install_packages "${packages[@]}"

say "building (some minutes the first time)"
cmake --preset release
cmake --build --preset release
charnn=build/release/charnn

say "learning to count"
[ -e runs/counting/best.safetensors ] || $charnn train configs/counting.json --out runs/counting --overwrite
echo "The network goes on from '1 2':"
$charnn sample runs/counting --prompt "1 2" --length 40 --temperature 0
echo
if $offline; then
  say "next: your own text"
  echo "  $charnn train --data YOUR.txt --out runs/mine"
  exit 0
fi

say "the complete works of Shakespeare"
data/get_shakespeare.sh

say "learning to write: $minutes minutes (Ctrl-C stops and saves)"
run=runs/shakespeare
if [ -e $run/last.safetensors ]; then
  $charnn train --resume --out $run --max-minutes "$minutes"
else
  $charnn train configs/shakespeare.json --out $run --max-minutes "$minutes"
fi

say "what it writes after $minutes minutes"
$charnn sample $run --prompt $'KING.\n' --length 500 --seed 1
echo

say "next"
cat <<END
  $charnn sample $run --temperature 0.5                     another text, more careful
  $charnn train --resume --out $run --max-minutes 20        go on training: it gets better
  $charnn train --data YOUR.txt --out runs/mine             a text of your own
END
