#!/usr/bin/env bash
# Builds the fuzz harnesses (tests/fuzz) and runs each for a while. Ends with status 1 if there is any finding, and says
# where the input lies that brings it about.
#   scripts/fuzz.sh                  all of them, 10 seconds each
#   scripts/fuzz.sh config corpus    only these
#   --seconds N  --runs N            each ends after N seconds, or after N executions if --runs is given
#   --corpus DIR                     inputs worth keeping, a folder for each harness; default: build/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

seconds=10
runs=-1
corpus=build/fuzz/corpus
names=()
all=(checkpoint config corpus metrics page vocabulary)
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:-}; shift ;;
    --runs) runs=${2:-} seconds=0; shift ;;  # 0: no limit
    --corpus) corpus=${2:-}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) [[ " ${all[*]} " == *" $1 "* ]] || { usage >&2; exit 2; }
       names+=("$1") ;;
  esac
  shift || { usage >&2; exit 2; }
done
[[ $seconds =~ ^[0-9]+$ && $runs =~ ^(-1|[0-9]+)$ && -n $corpus ]] || { usage >&2; exit 2; }
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")

install_packages "${build_packages[@]}" "${torch_packages[@]}" "${fuzz_packages[@]}"
build=build/fuzz
cmake --preset fuzz -DTorch_DIR= -DCMAKE_PREFIX_PATH=/usr >/dev/null
cmake --build "$build" --target "${names[@]/#/fuzz_}"

# Files that are written and renamed are in memory, too.
TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/charnn-fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# -timeout: seconds by the clock on the wall, of which a busy machine can take several from a run of milliseconds.
# Longer inputs are slower and find no more: a line, a small config, a tiny model.
declare -A longest=([checkpoint]=4096 [config]=1024 [corpus]=256 [metrics]=1024 [page]=512 [vocabulary]=512)
findings=$build/findings
mkdir -p "$findings"
status=0
for name in "${names[@]}"; do
  mkdir -p "$corpus/$name"
  options=(-max_total_time="$seconds" -runs="$runs" -max_len="${longest[$name]}" -timeout=30 -rss_limit_mb=1024
           -reload=0 -print_final_stats=1 -artifact_prefix="$findings/$name-")
  [ -e "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
  log=$findings/$name.log
  begun=$SECONDS
  if "$build/fuzz_$name" "${options[@]}" "$corpus/$name" "tests/fuzz/seeds/$name" >"$log" 2>&1; then
    result=ok
  else
    status=1
    result="FINDING, see $log"
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    [ -n "$input" ] && result="FINDING: $build/fuzz_$name $input"
  fi
  stat() { sed -n "s/^stat::$1: *//p" "$log"; }
  coverage=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1 || true)
  read -r _ edges _ features <<<"$coverage"
  printf '%-11s%10s executions %4s s %7s exec/s %6s edges %6s features  %s\n' "$name" \
    "$(stat number_of_executed_units)" $((SECONDS - begun)) "$(stat average_exec_per_sec)" \
    "${edges:-?}" "${features:-?}" "$result"
done
exit $status
