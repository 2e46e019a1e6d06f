"""What is said of the machine."""

import os
import time
from pathlib import Path

import pytest

from ddeal_cli.bench.machine import CompetingLoad, describe_machine


def test_the_machine_is_described_without_paths():
    found = describe_machine()
    assert found["machine"]["cpu"]
    assert 1 <= found["machine"]["cores"] <= (os.cpu_count() or 1)
    assert found["versions"]["torch"]
    assert str(Path.home()) not in str(found)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells")
def test_what_this_process_does_is_no_disturbance():
    disturbance = CompetingLoad()
    begun, used = time.perf_counter(), time.process_time()
    while time.process_time() < used + 0.4:
        pass
    share = disturbance.share()
    mine = 0.4 / (time.perf_counter() - begun) / (os.cpu_count() or 1)
    assert share is not None
    assert 0 <= share <= 1 - mine + 0.1  # the system counts in hundredths of a second
