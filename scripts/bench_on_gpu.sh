#!/usr/bin/env bash
# What only a machine with a GPU can tell: the tests that need one, and how fast the presets run,
# launched one by one in float32, and with CUDA graphs in bfloat16 against the plain network.
#
#   OUT=results scripts/bench_on_gpu.sh [WORDS OF ddeal bench...]
#
#   OUT      where results go (default: results): gpu-tests.txt, bench-PRESET.json,
#            bench-PRESET-graphs.json
#   PRESETS  default: "paper-resnet101 compact"
#   GRAPHS   0 leaves the second kind out: a machine without an NVIDIA GPU has none
#   PYTHON   the interpreter (default: python3)
#
# A failure of one part does not stop the others; it shows in the exit status.
set -uo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${OUT:-results}"
out=$(cd "${OUT:-results}" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
status=0

if "$python" -c 'import pytest, hypothesis' 2> /dev/null; then
  (cd "$root" && DDEAL_REQUIRE_CUDA=${DDEAL_REQUIRE_CUDA-1} "$python" -m pytest -o addopts= -m needs_cuda -q) \
    2>&1 | tee "$out/gpu-tests.txt" || status=1
else
  echo "the tests are left out: they need pytest and hypothesis" | tee "$out/gpu-tests.txt" >&2
  status=1
fi
for preset in ${PRESETS:-paper-resnet101 compact}; do
  "$python" -m ddeal_cli bench --preset "$preset" --frames 240 --json "$@" \
    > "$out/bench-$preset.json" || status=1
  if [ "${GRAPHS-1}" = 1 ]; then
    "$python" -m ddeal_cli bench --preset "$preset" --frames 240 --precision bfloat16 \
      --cuda-graphs --look-ahead 4 --against plain --json "$@" \
      > "$out/bench-$preset-graphs.json" || status=1
  fi
done
exit $status
