#!/usr/bin/env bash
# The runs, tables and pictures of docs/learning-rates.md, made anew:
#   scripts/lessons.sh [--text FILE] [rates] [adam] [bptt] [size] [sweep]
# Without names, all of them: about half an hour on two cores. Runs are kept in runs/lessons; what is there is not made
# again. --text: default data/shakespeare.txt (data/get_shakespeare.sh fetches it). Tables go to standard output,
# pictures to docs/lessons.
set -euo pipefail
cd "$(dirname "$0")/.."
charnn=${CHARNN:-build/release/charnn}
text=data/shakespeare.txt
runs=runs/lessons
pictures=docs/lessons
lessons=()
while [ $# -gt 0 ]; do
  case $1 in
    --text) text=$2; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    rates | adam | bptt | size | sweep) lessons+=("$1") ;;
    *) echo "lessons.sh: no lesson '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done
[ ${#lessons[@]} -gt 0 ] || lessons=(rates adam bptt size sweep)
[ -e "$text" ] || data/get_shakespeare.sh
mkdir -p $runs $pictures

# train NAME OPTION...: a run in $runs/NAME, unless it is there and finished.
train() {
  local out=$runs/$1
  shift
  [ -e "$out/done" ] && return
  rm -rf "$out"
  $charnn train --data "$text" --epochs 0 --precision fp32 --quiet --out "$out" "$@"
  touch "$out/done"
}

# row NAME WHAT: a line of a table: steps, training loss of the last tenth, last validation loss, warnings.
row() {
  python3 - "$runs/$1/metrics.jsonl" "$2" <<'PY'
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
steps = [r for r in records if r["event"] == "step"]
evals = [r for r in records if r["event"] == "eval"]
tail = [r["loss"] for r in steps[-max(1, len(steps) // 10):]]
warnings = ", ".join(dict.fromkeys(r["name"] for r in records if r["event"] == "warning")) or "-"
print(f"| {sys.argv[2]} | {steps[-1]['step']:,} | {sum(tail) / len(tail):.3f} | {evals[-1]['loss']:.3f} | {warnings} |")
PY
}
head_of_table() { printf '\n| %s | steps | training | validation | warnings |\n|---|---|---|---|---|\n' "$1"; }

# plot PICTURE RUN...: validation curves of runs in $runs/FOLDER.
plot() {
  local picture=$1
  shift
  $charnn plot "${@/#/$runs/}" --out "$pictures/$picture.svg" "${plot_options[@]}" 2>/dev/null
}
plot_options=(--val-only)

# (a) A learner's network: a plain RNN of 87 units that reads one stream, 25 characters a step, at a constant rate, without
# clipping and warm-up.
lesson_rates() {
  local diary=(--cell rnn --layers 1 --hidden 87 --embedding 87 --batch-size 1 --sequence-length 25 --max-steps 20000
    --schedule constant --warmup-steps 0 --clip-norm 0 --eval-every 1000 --eval-max-chars 50000 --on-divergence ignore --precision fp32)
  local found
  found=$($charnn lr-find --data "$text" "${diary[@]}" --json --svg $pictures/lr-find.svg 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["suggestion"])')
  train lr-0.01 "${diary[@]}" --lr 0.01
  train lr-0.002 "${diary[@]}" --lr 0.002
  train "lr-find" "${diary[@]}" --lr "$found"
  train 0.01-clipping "${diary[@]}" --lr 0.01 --clip-norm 1
  train 0.01-warm-up "${diary[@]}" --lr 0.01 --warmup-steps 1000
  train 0.01-falling "${diary[@]}" --lr 0.01 --schedule cosine
  train 0.01-batch-50 "${diary[@]}" --lr 0.01 --batch-size 50 --max-steps 2000 --eval-every 100
  local lstm=("${diary[@]}" --cell lstm --lr 0.01)
  train 0.01-lstm "${lstm[@]}"
  train 0.01-lstm-forget-1 "${lstm[@]}" --forget-bias 1
  head_of_table "run"
  row lr-0.01 "rate 0.01"
  row lr-0.002 "rate 0.002"
  row lr-find "rate $found, of lr-find"
  row 0.01-clipping "0.01, gradients clipped at 1"
  row 0.01-warm-up "0.01, warm-up of 1000 steps"
  row 0.01-falling "0.01, cosine decay"
  row 0.01-batch-50 "0.01, 50 streams instead of one"
  row 0.01-lstm "0.01, LSTM"
  row 0.01-lstm-forget-1 "0.01, LSTM, forget bias 1"
  local first=("${diary[@]}" --max-steps 1000 --eval-every 100 --log-every 5)
  train first-0.01 "${first[@]}" --lr 0.01
  train first-0.002 "${first[@]}" --lr 0.002
  plot_options=() plot first-1000 first-0.01 first-0.002
  plot rates lr-0.01 lr-0.002 lr-find 0.01-clipping 0.01-warm-up 0.01-falling
}

# (b) One Adam for the whole training, against one that is lost: with one noisy stream as in (a), and with 50 streams.
lesson_adam() {
  adam_runs one --cell rnn --batch-size 1 --sequence-length 25 --clip-norm 0
  adam_runs fifty --cell lstm --batch-size 50 --sequence-length 50
  local streams
  for streams in one fifty; do
    head_of_table "$streams: Adam"
    row adam-$streams-kept "made once"
    row adam-$streams-anew-100 "made anew every 100 steps"
    row adam-$streams-anew-100-warmup "made anew every 100 steps, each time with 50 steps of warm-up"
    row adam-$streams-anew-1 "made anew in every step"
    row adam-$streams-lost "lost once, at step 1500"
    row adam-$streams-lost-warmup "lost once, then 200 steps of warm-up"
    printf '\nMean training loss in the steps after step 1500:\n\n| Adam | 1-10 | 11-50 | 51-200 | 201-1500 |\n|---|---|---|---|---|\n'
    after_1500 adam-$streams-kept "kept"
    after_1500 adam-$streams-lost "lost"
    after_1500 adam-$streams-lost-warmup "lost, then warmed up"
    plot adam-$streams adam-$streams-{kept,anew-100,anew-100-warmup,anew-1}
  done
}

# adam_runs NAME OPTION...: all runs of the lesson with one kind of batch.
adam_runs() {
  local name=adam-$1
  shift
  local common=("$@" --layers 1 --hidden 87 --embedding 87 --lr 0.002 --schedule constant --max-steps 3000 --log-every 1
    --eval-every 100 --eval-max-chars 50000)
  train $name-kept "${common[@]}" --warmup-steps 0
  # Without memory of earlier gradients Adam's moments are those of its first step, in every step.
  train $name-anew-1 "${common[@]}" --warmup-steps 0 --beta1 0 --beta2 0
  adam_anew $name-anew-100 100 0 "${common[@]}"
  adam_anew $name-anew-100-warmup 100 50 "${common[@]}"
  adam_anew $name-lost 1500 0 "${common[@]}"
  adam_anew $name-lost-warmup 1500 200 "${common[@]}"
}

# adam_anew NAME EVERY WARMUP OPTION...: a run whose moments are forgotten every so many steps.
adam_anew() {
  local name=$1 every=$2 warmup=$3 step
  shift 3
  [ -e "$runs/$name/done" ] && return
  rm -rf "${runs:?}/$name"
  $charnn train --data "$text" --epochs 0 --precision fp32 --quiet --out "$runs/$name" "$@" --warmup-steps 0 --stop-at "$every"
  for step in $(seq $((2 * every)) "$every" 3000); do
    $charnn train --resume --reset-optimizer --quiet --out "$runs/$name" --warmup-steps "$warmup" --stop-at "$step"
  done
  touch "$runs/$name/done"
}

# after_1500 NAME WHAT: a line of a table: mean training losses after step 1500.
after_1500() {
  python3 - "$runs/$1/metrics.jsonl" "$2" <<'PY'
import json, sys
loss = {r["step"]: r["loss"] for r in map(json.loads, open(sys.argv[1])) if r["event"] == "step"}
mean = lambda a, b: sum(loss[s] for s in range(1500 + a, 1501 + b)) / (b - a + 1)
print(f"| {sys.argv[2]} | {mean(1, 10):.3f} | {mean(11, 50):.3f} | {mean(51, 200):.3f} | {mean(201, 1500):.3f} |")
PY
}

# (c) Truncated back-propagation: how far gradients flow back, and whether the state is carried on. Each run sees the same
# 3 million characters.
lesson_bptt() {
  local length state
  for state in carried reset; do
    for length in 1 5 25 100; do
      train bptt-$length-$state --cell lstm --layers 1 --hidden 87 --embedding 87 --lr 0.002 --batch-size 50 \
        --sequence-length $length --state $state --max-steps $((60000 / length)) --eval-every $((6000 / length)) \
        --log-every $((600 / length)) --eval-max-chars 50000
    done
  done
  printf '\n| sequence length | state | steps | validation, state carried | validation, state reset every so many characters |\n|---|---|---|---|---|\n'
  for state in carried reset; do
    for length in 1 5 25 100; do
      local carried windowed
      carried=$($charnn eval $runs/bptt-$length-$state --checkpoint last --json | python3 -c 'import json, sys; print("%.3f" % json.load(sys.stdin)["nats_per_char"])')
      windowed=$($charnn eval $runs/bptt-$length-$state --checkpoint last --window $length --json | python3 -c 'import json, sys; print("%.3f" % json.load(sys.stdin)["nats_per_char"])')
      echo "| $length | $state | $((60000 / length)) | $carried | $windowed |"
    done
  done
  # The same number of steps of the same 2500 characters: what is left is how far gradients flow back.
  for length in 1 5 25 100; do
    train bptt-$length-equal-steps --cell lstm --layers 1 --hidden 87 --embedding 87 --lr 0.002 \
      --batch-size $((2500 / length)) --sequence-length $length --max-steps 2400 --eval-every 240 --eval-max-chars 50000
  done
  head_of_table "sequence length, 2500 characters a step"
  for length in 1 5 25 100; do row bptt-$length-equal-steps $length; done
  plot bptt-steps bptt-{1,5,25,100}-equal-steps
  plot_options=(--val-only --x chars)
  plot bptt bptt-{1,5,25,100}-carried bptt-100-reset
  plot_options=(--val-only)
}

# (d) The size of the hidden state, at equal time: half a minute each.
lesson_size() {
  local hidden
  for hidden in 32 64 87 128 256 512; do
    train hidden-$hidden --cell lstm --layers 1 --hidden $hidden --embedding 64 --lr 0.004 --schedule constant \
      --max-minutes 0.5 --eval-every 200 --eval-max-chars 50000
  done
  head_of_table "hidden units"
  for hidden in 32 64 87 128 256 512; do row hidden-$hidden "$hidden"; done
  plot_options=(--val-only --x seconds)
  plot size hidden-{32,64,87,128,256,512}
  plot_options=(--val-only)
}

lesson_sweep() { python3 scripts/lr_sweep.py --charnn $charnn --corpus "$(basename "$text" .txt)=$text" --options "--precision fp32"; }

for lesson in "${lessons[@]}"; do
  printf '\n== %s\n' "$lesson"
  lesson_$lesson
done
