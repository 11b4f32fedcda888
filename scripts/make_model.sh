#!/usr/bin/env bash
# Makes models/shakespeare.safetensors: the weights of a small network, trained on the complete works of Shakespeare.
#   scripts/make_model.sh CHARNN        some minutes on two cores
set -euo pipefail
cd "$(dirname "$0")/.."
charnn=${1:?the program, for example build/release/charnn}
data/get_shakespeare.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Twelve passes: enough for 128 units, which hardly overfit on 5 MB.
"$charnn" train configs/shakespeare.json --epochs 12 --precision fp32 --out "$folder/run"
rm -f models/shakespeare.safetensors
"$charnn" export "$folder/run" --format weights --out models/shakespeare.safetensors
