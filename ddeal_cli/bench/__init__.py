"""``ddeal bench``: speed and memory, stages, operations, growth, and the plain network to beat.

cases = [Case(NetworkChoice.of_preset("released-resnet50"), (480, 854), objects=5, threads=2)]
record = new_record("speed", list(measure_grid(cases, Effort(), against=True)), {})
write_record(record, Path("here.json"))
"""
