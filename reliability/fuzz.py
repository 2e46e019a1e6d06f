"""Damage files of every kind, thousands of them, and see that ddeal keeps its temper.

    python -m reliability.fuzz --inputs 5000 --seed 1
    python -m reliability.fuzz --seed 1 --replay 1234

Input N of a seed is the same on every run. Each is read in a worker process of limited memory
under a time limit; a file is to be read, or refused with one of ddeal's errors in one line.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from reliability.mutations import Form, damaged
from reliability.samples import make_samples
from reliability.workers import Outcome, Worker

__all__ = ["Input", "Inputs", "fuzz", "main"]

# Videos have the most ways to go wrong.
_SHARES = {
    "video": 0.27,
    "image": 0.1,
    "mask": 0.1,
    "weights": 0.05,
    "pickle": 0.05,
    "text-set": 0.06,
    "text-log": 0.03,
    "json-meta": 0.04,
    "json-coco": 0.04,
    "json-recipe": 0.07,
    "json-network": 0.03,
    "json-engine": 0.03,
    "json-packed": 0.03,
    "json-choice": 0.02,
    "json-session": 0.02,
    "json-manifest": 0.02,
    "json-record": 0.04,
}


@dataclass(frozen=True, slots=True)
class Input:
    """One damaged file.

    Attributes:
        number: Of the seed.
        kind: Of sample.
        name: The sample's file name.
        data: The bytes.
        choice: Chooses between ways to read it.
    """

    number: int
    kind: str
    name: str
    data: bytes
    choice: int


class Inputs:
    """Damaged files by number.

    Args:
        samples: Whole files by kind, from `make_samples`.
        seed: With the number, decides everything.
    """

    def __init__(self, samples: dict[str, list[Path]], seed: int) -> None:
        self._seed = seed
        self._samples = {
            kind: [(path.name, path.read_bytes()) for path in paths]
            for kind, paths in samples.items()
        }

    def input(self, number: int) -> Input:
        """Make one."""
        rng = np.random.default_rng([self._seed, number])
        kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
        samples = self._samples[kind]
        name, data = samples[int(rng.integers(len(samples)))]
        _, other = samples[int(rng.integers(len(samples)))]
        choice = int(rng.integers(1 << 16))
        form, _, rest = kind.partition("-")
        data = damaged(data, other, rng, form=cast("Form", form if rest else "bytes"))
        return Input(number, kind, name, data, choice)


def run_target(kind: str, path: Path, choice: int) -> None:
    """What a worker runs."""
    import torch

    from ddeal_core.media import set_max_pixels
    from reliability.targets import TARGETS

    torch.set_num_threads(1)
    set_max_pixels(1 << 22)
    TARGETS[kind](path, choice)


def fuzz(
    numbers: range, *, seed: int, workers: int = 2, seconds: float = 20.0, keep: Path | None = None
) -> Iterator[tuple[Input, Outcome]]:
    """Run inputs and give each with its outcome, in no order.

    Args:
        numbers: Of the inputs.
        seed: Of all chance.
        workers: Processes.
        seconds: Longest time for an input.
        keep: Where inputs that went wrong are kept; made when there is one.
    """
    local = threading.local()
    made: list[Worker] = []

    with tempfile.TemporaryDirectory() as scratch:
        inputs = Inputs(make_samples(Path(scratch) / "samples"), seed)

        def one(number: int) -> tuple[Input, Outcome]:
            if not hasattr(local, "worker"):
                local.worker = Worker(run_target, seconds=seconds)
                made.append(local.worker)
            tried = inputs.input(number)
            folder = Path(scratch) / f"{number}"
            folder.mkdir()
            path = folder / tried.name
            path.write_bytes(tried.data)
            outcome = local.worker.try_out(tried.kind, path, tried.choice)
            if outcome.is_bad and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{number}-{tried.name}").write_bytes(tried.data)
            shutil.rmtree(folder)
            return tried, outcome

        try:
            with ThreadPoolExecutor(workers) as pool:
                yield from pool.map(one, numbers)
        finally:
            for worker in made:
                worker.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=5000, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="longest time for an input")
    parser.add_argument("--replay", type=int, metavar="N", help="run input N alone")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--json", action="store_true", help="the counts as JSON")
    given = parser.parse_args(arguments)
    numbers = range(given.inputs) if given.replay is None else range(given.replay, given.replay + 1)
    counts: Counter[tuple[str, str]] = Counter()
    bad = 0
    began = time.monotonic()
    for tried, outcome in fuzz(
        numbers, seed=given.seed, workers=given.workers, seconds=given.seconds, keep=given.keep
    ):
        counts[tried.kind, outcome.kind] += 1
        if outcome.is_bad or given.replay is not None:
            bad += outcome.is_bad
            print(f"input {tried.number} ({tried.kind}, {tried.name}): {outcome.kind}")
            print(outcome.detail, flush=True)
    seconds = time.monotonic() - began
    if given.json:
        table = {kind: {o: n for (k, o), n in counts.items() if k == kind} for kind in _SHARES}
        print(json.dumps({"seed": given.seed, "bad": bad, "seconds": seconds, "counts": table}))
        return int(bad > 0)
    outcomes = sorted({o for _, o in counts})
    print(f"{'kind':<12}" + "".join(f"{o:>15}" for o in outcomes))
    for kind in _SHARES:
        print(f"{kind:<12}" + "".join(f"{counts[kind, o]:>15}" for o in outcomes))
    print(f"{len(numbers)} inputs of seed {given.seed} in {seconds:.0f} s: {bad} went wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
