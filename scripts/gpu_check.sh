#!/usr/bin/env bash
# On a machine with a GPU and PyTorch, in a few minutes: the tests of the GPU path, then speeds against PyTorch's own loop
# and the time to nanoGPT's loss, as tables.
#
#   scripts/gpu_check.sh FOLDER [TEXT]    FOLDER has charnn and model_test: see gpu_bundle.sh
#
# TEXT is tinyshakespeare. DEVICE=torch tries the script on a CPU; SPEED has options for bench/gpu.py.
set -uo pipefail
folder=$(realpath "${1:?FOLDER}") text=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
export DEVICE=${DEVICE:-cuda} CHARNN=$folder/charnn
torch=$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])') || exit 1
export LD_LIBRARY_PATH=$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
failed=()
step() { echo "== $SECONDS s: $*"; "$@" || failed+=("$*"); }
[ "$DEVICE" = torch ] || step nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
step "$CHARNN" --version
step "$folder/model_test" --gtest_brief=1 --gtest_filter='TorchNetwork*:CharRnn*:State*'
step python3 -m unittest tests.cli.test_device
# shellcheck disable=SC2086
step python3 bench/gpu.py --charnn "$CHARNN" --device "$DEVICE" ${text:+--data "$text"} ${SPEED:-}
echo "== $SECONDS s: ${#failed[@]} of these failed${failed[*]:+: }${failed[*]}"
[ ${#failed[@]} = 0 ]
