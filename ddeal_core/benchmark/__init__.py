"""Speed and memory: stages, operations, growth, and the plain network to beat.

cases = [Case(Subject.of_preset("released-resnet50"), (480, 854), objects=5, threads=2)]
record = new_record("speed", list(measure_grid(cases, Effort(), against=True)), {})
write_record(record, Path("here.json"))
"""

from ddeal_core.benchmark.case import Case, Effort, Subject
from ddeal_core.benchmark.footage import Footage
from ddeal_core.benchmark.grid import measure_grid
from ddeal_core.benchmark.growth import grow, grow_length
from ddeal_core.benchmark.machine import Disturbance
from ddeal_core.benchmark.plain import PlainNetwork
from ddeal_core.benchmark.record import (
    Comparison,
    compare_records,
    new_record,
    read_record,
    write_record,
)

__all__ = [
    "Case",
    "Comparison",
    "Disturbance",
    "Effort",
    "Footage",
    "PlainNetwork",
    "Subject",
    "compare_records",
    "grow",
    "grow_length",
    "measure_grid",
    "new_record",
    "read_record",
    "write_record",
]
