#!/usr/bin/env bash
# Trains from packed data on a machine that is rented by the minute, and leaves what is worth
# keeping in a folder of small files.
#
#   OUT=results SECONDS_LEFT=1500 scripts/train_on_gpu.sh PACKED RECIPE [WORDS OF ddeal train...]
#
#   PACKED           what `ddeal pack-data` wrote, as a folder or a tar of it
#   RECIPE           compact, paper-resnet50, ... or a file as `ddeal train --show-recipe` prints it
#   WORDS            such as --initial weights.safetensors
#
#   OUT              where results go (default: results)
#   RUN              folder of the run (default: a temporary one)
#   SECONDS_LEFT     all of it, with unpacking and copying (default: 1500)
#   CHECKPOINT_FROM  folder with the pieces checkpoint.pt.* of an earlier OUT: goes on from there
#   PYTHON           the interpreter (default: python3); WORKERS: processes that make clips
#                    (default: one a core); DEVICE: cuda, cpu, ... (default: a GPU if there is one)
#
# Needs Python 3.11 or later with torch and the packages of pyproject.toml. Nothing is installed:
# the repository is used where it lies.
set -euo pipefail

began=$SECONDS
packed=${1:?"name the packed data"}
recipe=${2:?"name the recipe"}
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
out=${OUT:-results}
python=${PYTHON:-python3}
run=${RUN:-$(mktemp -d)/run}
limit=${SECONDS_LEFT:-1500}
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
mkdir -p "$out" "$run"

"$python" -c 'import av, cv2, matplotlib, numpy, PIL, rich, safetensors, torch, typer' || {
  echo "install what is missing: the list is in $root/pyproject.toml" >&2
  exit 2
}

if [ -f "$packed" ]; then
  folder=$(mktemp -d)
  tar -xf "$packed" -C "$folder"
  index=$(find "$folder" -maxdepth 2 -name data.json | head -n 1)
  [ -n "$index" ] || { echo "$packed holds no packed data" >&2; exit 2; }
  packed=$(dirname "$index")
fi
if [ -n "${CHECKPOINT_FROM:-}" ]; then
  cat "$CHECKPOINT_FROM"/checkpoint.pt.* > "$run/checkpoint.pt"
  cp "$CHECKPOINT_FROM"/{log.csv,*.safetensors} "$run/"
fi
[ ! -f "$run/checkpoint.pt" ] || set -- --resume "$@"
[ -z "${DEVICE:-}" ] || set -- --device "$DEVICE" "$@"

# A checkpoint, its copy and a last step have to fit into what is left.
reserve=$((limit / 10 > 30 ? limit / 10 : 30))
minutes=$("$python" -c "print(max(0, $limit - ($SECONDS - $began) - $reserve) / 60)")

# Pieces of less than 16 MiB: what brings results back often takes no larger files.
keep() {
  cp "$run"/{log.csv,log.png,weights.safetensors,best.safetensors} "$out/" 2> /dev/null || true
  if [ -f "$run/checkpoint.pt" ]; then
    rm -f "$out"/checkpoint.pt.*
    split -b 16000K -d "$run/checkpoint.pt" "$out/checkpoint.pt."
  fi
}
trap keep EXIT

"$python" -m ddeal_cli train --packed "$packed" --recipe "$recipe" -o "$run" \
  --precision bfloat16 --workers "${WORKERS:-$(nproc)}" --minutes "$minutes" --json "$@"
