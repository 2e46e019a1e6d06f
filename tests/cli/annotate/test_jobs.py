"""One job at a time, beside the person who works on."""

import threading

import pytest

from ddeal_cli.annotate.jobs import Jobs
from ddeal_core.errors import InputError, OutputError


def test_it_tells_how_far_it_is_and_how_it_ended():
    seen = []
    jobs = Jobs(lambda: seen.append(jobs.current))
    assert jobs.current is None
    jobs.begin("count", iter(range(5, 8)), total=3, finished=lambda: "three\nof them")
    jobs.wait()
    states = [(job.state, job.done, job.frame) for job in seen]
    assert states[0][0] == "running"
    assert ("running", 2, 6) in states
    assert states[-1] == ("done", 3, 7)
    assert seen[-1].message == "three of them"
    jobs.begin("count", iter(()), total=0)
    jobs.wait()
    assert (jobs.current.number, jobs.current.state) == (2, "done")


def test_there_is_one_at_a_time_and_it_can_be_cancelled():
    jobs, closed, go = Jobs(), threading.Event(), threading.Event()

    def steps():
        try:
            for number in range(10**9):
                go.wait()
                yield number
        finally:
            closed.set()

    jobs.begin("count", steps(), total=10**9)
    with pytest.raises(InputError, match="running already"):
        jobs.begin("other", iter(()), total=0)
    jobs.cancel()
    go.set()
    jobs.wait()
    assert closed.is_set()
    assert (jobs.current.what, jobs.current.state, jobs.current.done) == ("count", "cancelled", 1)
    assert not jobs.is_running


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OutputError("the disk is full"), "the disk is full"),
        (ValueError("x\ny"), "ValueError: x y"),
    ],
)
def test_what_goes_wrong_is_one_line(error, message):
    def steps():
        yield 1
        raise error

    jobs = Jobs()
    jobs.begin("count", steps(), total=2)
    jobs.wait()
    assert (jobs.current.state, jobs.current.done) == ("failed", 1)
    assert jobs.current.message == message
