"""The schedule of faults: the seed decides, and nothing else."""

import pytest

from lab.chaos.faults import Kind, post_fault, schedule, source, stream_fault

ALL = frozenset(Kind)


def test_the_same_seed_gives_the_same_faults():
    assert schedule(7, seconds=60, kinds=ALL) == schedule(7, seconds=60, kinds=ALL)
    assert schedule(7, seconds=60, kinds=ALL) != schedule(8, seconds=60, kinds=ALL)


def test_a_longer_run_begins_as_the_shorter_one():
    short, long = (schedule(7, seconds=s, kinds=ALL) for s in (30, 60))
    assert long[: len(short)] == short


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_minute_meets_every_kind_of_fault_and_no_other(seed):
    kinds = ALL - {Kind.RESTART_DATABASE}
    assert {fault.kind for fault in schedule(seed, seconds=60, kinds=kinds)} == kinds


def test_each_line_draws_from_a_source_of_its_own():
    def drawn(name):
        random = source(7, "line", name)
        return [(post_fault(random), stream_fault(random)) for _ in range(50)]

    assert drawn("d0") == drawn("d0")
    assert drawn("d0") != drawn("d1")
