"""Growth, several processes and the soak, with tiny sizes: all is measured, and nothing is lost."""

from contextlib import nullcontext

import pytest

from lab.benchmarks import __main__ as command
from lab.benchmarks.growth import curves, maintenance, reads, watches
from lab.benchmarks.page import held
from lab.benchmarks.page import loads as page_loads
from lab.benchmarks.results.record import Fact, Run
from lab.benchmarks.several import loads
from lab.benchmarks.several.installation import installed
from lab.benchmarks.sizes import QUICK
from lab.benchmarks.soak import gauges
from lab.benchmarks.soak import run as soak
from lab.benchmarks.soak.visitors import Visitor


def test_a_log_that_grows_is_measured_explained_and_whole():
    with curves.growing() as (process, _folder, environment):
        steps = curves.of_log(QUICK)
        assert [s.size for s in curves.grow(process, steps, deltas=QUICK.answer_deltas)] == [
            100,
            200,
        ]
        took = process.call("measure", within_s=60, count=1)
        assert took.keys() == reads.READS.keys()
        assert min(took.values()) > 0
        plans = process.call("plans", within_s=60)
        assert "USING INDEX" in plans["last 50 events"]
        # "weighed" is the page of rows that a query has cut out before.
        assert "SCAN" not in "".join(plans.values()).replace("SCAN weighed", "")
        seconds, peak_mb, said = maintenance.run(["check_log"], environment)
        assert said.splitlines()[-1] == "1 sessions, 203 events, 0 problems"
        assert seconds > 0
        assert peak_mb > 1
        pruned = maintenance.run(["prune_events", "--older-than", "0m"], environment)[2]
        assert pruned.endswith(f"{4 * QUICK.answer_deltas} deltas of 1 sessions removed\n")


def test_each_number_of_watches_is_measured():
    runs = [*watches.measure(QUICK)]
    assert [run.values["size"] for run in runs if run.case == "open a stream"] == [1, 2]
    assert all(isinstance(run, Run) and run.values["ms"] > 0 for run in runs)


# Two servers, and a browser over three lines.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_page_is_measured_over_lines_and_with_messages_held():
    by_case = {run.case: run.values for run in page_loads.measure(QUICK)}
    assert len(by_case) == 2 * len(page_loads.LINES)
    for line in page_loads.LINES:
        cold, warm = (by_case[f"load, {line.name}, {cache}"] for cache in ("cold", "warm"))
        assert cold["kb"] > warm["kb"] > 0
        assert cold["live_ms"] >= cold["ready_ms"] > 0
    chat = [run.values for run in held.measure(QUICK)]
    assert len(chat) == len(QUICK.held_messages)
    assert all(values["frames"] == QUICK.page_frames for values in chat)
    assert all(values["key_p50_ms"] > 0 and values["memory_mb"] > 0 for values in chat)


def test_a_list_of_chats_grows_to_its_sizes_and_has_its_plans(monkeypatch):
    monkeypatch.setattr(curves, "databases", lambda: nullcontext([]))
    made = [*curves.measure(curves.of_sessions(QUICK), deltas=3, sizes=QUICK)]
    sizes = {made.values["size"] for made in made if isinstance(made, Run)}
    assert sizes == set(QUICK.session_counts)
    [plans] = [each for each in made if isinstance(each, Fact)]
    assert "session_of_owner" in plans.text


@pytest.mark.timeout(400)
def test_an_installation_survives_the_loss_of_redis_and_of_a_process():
    count = QUICK.paced_sessions
    with installed(webs=2, has_redis=True, sessions=count, is_warm=True) as here:
        phases = loads.without_redis_for_a_while(here, QUICK)
        assert [*phases] == ["before", "Redis is dead", "Redis is back"]
        third = QUICK.paced_rate / 2 * QUICK.outage_s * count
        for values in phases.values():
            assert values["delivered"] <= third * QUICK.paced_subscribers
            assert values["missing"] == values["repeated"] == 0
        answered = loads.answered(here, QUICK, runners=1)
        assert answered["prompts"] == QUICK.runner_prompts
        returned = loads.killed(here, QUICK)
        assert (returned["returned"], returned["missing"]) == (QUICK.killed_streams, 0)


def test_a_soak_looks_at_the_server_and_misses_no_event():
    made = [*soak.measure(QUICK)]
    runs = {run.case: run.values for run in made if isinstance(run, Run)}
    assert runs.keys() == gauges.ALLOWED.keys() | {"visitors"}
    assert all(runs[gauge]["early"] > 0 for gauge in gauges.ALLOWED)
    assert runs["visitors"]["returns"] > 0
    assert runs["visitors"]["events"] > 0
    assert (runs["visitors"]["gaps"], runs["visitors"]["lost"]) == (0, 0)


@pytest.mark.parametrize("gauge", gauges.ALLOWED)
def test_a_gauge_that_grows_is_found_and_one_that_fills_up_is_not(gauge):
    steady = [dict.fromkeys(gauges.ALLOWED, 1000.0) for _ in range(40)]
    for number in range(10):
        steady[number][gauge] = 100.0 * number
    assert gauges.verdicts(steady)[gauge]["verdict"] == gauges.STEADY
    growing = [{**sample, gauge: 1000 + 5.0 * at} for at, sample in enumerate(steady)]
    found = gauges.verdicts(growing)
    assert [name for name in found if found[name]["verdict"] == gauges.GROWS] == [gauge]


def test_a_soak_in_which_something_grows_ends_with_an_error(tmp_path, monkeypatch, capsys):
    grown = Run("threads", "Backstay", 1, {"early": 1, "late": 9, "allowed": 2, "verdict": "grows"})
    monkeypatch.setattr(soak, "measure", lambda _: iter([grown]))
    with pytest.raises(SystemExit, match="These grow: threads"):
        command.main(["soak", "--out", str(tmp_path / "soak.json")])
    assert "| threads | Backstay | 1 | 9 | 2 | grows |" in capsys.readouterr().out


def test_a_visitor_notes_its_cursor_and_a_gap():
    visitor = Visitor(0)
    frame = b"id: s:%d\ndata: {}\n\n"
    snapshot = (
        b'data: {"v":1,"type":"session_snapshot","sessionId":"s","snapshot":{"cursor":7}}\n\n'
    )
    text = snapshot + frame % 8 + frame % 9 + frame % 11
    for start in range(0, len(text), 5):
        visitor.take(text[start : start + 5])
    assert (visitor.is_live, visitor.events, visitor.gaps, visitor.cursor) == (True, 3, 1, 11)
