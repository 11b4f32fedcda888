#!/usr/bin/env bash
# Installs charnn from BUILD into a temporary folder, then builds and runs a program that finds it there.
#   run.sh BUILD LIBTORCH_ROOT [SANITIZERS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake --install "$1" --prefix "$tmp/prefix" > /dev/null
"$tmp/prefix/bin/charnn" --version
if [[ " $EXTRAS " == *" shell "* ]]; then
  share=$tmp/prefix/share
  "$tmp/prefix/bin/charnn" man | cmp - "$share/man/man1/charnn.1"
  "$tmp/prefix/bin/charnn" completions bash | cmp - "$share/bash-completion/completions/charnn"
  "$tmp/prefix/bin/charnn" completions zsh | cmp - "$share/zsh/site-functions/_charnn"
  "$tmp/prefix/bin/charnn" completions fish | cmp - "$share/fish/vendor_completions.d/charnn.fish"
fi
sanitize=${3:+-fsanitize=$3}   # what links a library of sanitized code needs their run-time libraries
cmake -S "$here" -B "$tmp/build" -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=$sanitize" "-DCMAKE_PREFIX_PATH=$tmp/prefix;$2" > /dev/null
cmake --build "$tmp/build" > /dev/null

# What the library writes and trains is what the program does.
cat > "$tmp/config.json" <<END
{"data": {"files": ["$tmp/text"]}, "model": {"layers": 1, "hidden": 16, "embedding": 8}, "schedule": {"warmup_steps": 5},
 "train": {"batch_size": 4, "sequence_length": 16, "epochs": 0, "max_steps": 40, "eval_every": 20}}
END
for i in {1..100}; do echo "The cat $i sat on the mat."; done > "$tmp/text"
"$tmp/prefix/bin/charnn" train --quiet "$tmp/config.json" --out "$tmp/run"
"$tmp/build/consumer" "$tmp/run" "$tmp/config.json" "$tmp/by-library" | tee "$tmp/output"
sampled=$("$tmp/prefix/bin/charnn" sample --quiet "$tmp/run" --prompt "The " --length 40 --seed 7 --no-echo; echo .)
[[ $(cat "$tmp/output") == "${sampled%.}"$'\n'"12 characters, "*$'\n'"finished after 40 steps, "* ]]
cmp "$tmp/run/best.safetensors" "$tmp/by-library/best.safetensors"
