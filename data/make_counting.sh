#!/usr/bin/env bash
# Makes data/counting.txt: "1 2 3 " over and over, the first thing a recurrent network can learn.
set -euo pipefail
cd "$(dirname "$0")"
for _ in $(seq 1000); do printf '1 2 3 '; done > counting.txt
