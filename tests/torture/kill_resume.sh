#!/usr/bin/env bash
# Ends one training N times, by a signal, and resumes it; it must end as the same training that was left alone does.
#   kill_resume.sh N [SIGNAL...] [--seed S]     signals: KILL TERM INT (all three if none is named)
# CHARNN names the program, FAULTS the shim built from faults.c. kill_resume.py says how it is done.
set -euo pipefail
: "${CHARNN:?names the program, for example build/dev/charnn}"
: "${FAULTS:?names the shim, for example build/dev/tests/torture/faults.so}"
CHARNN=$(realpath "$CHARNN") FAULTS=$(realpath "$FAULTS")
export CHARNN FAULTS PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python3}" -m tests.torture.kill_resume "$@"
