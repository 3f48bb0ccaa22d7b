"""The benchmarks' own code, with tiny numbers: what it counts is exact, and it ends by itself."""

import json
from dataclasses import replace

import pytest

from lab.benchmarks import __main__ as command
from lab.benchmarks.contenders import ON_UVLOOP, OURS, PLAIN, STOCK
from lab.benchmarks.parts import PARTS
from lab.benchmarks.processes.client import Crowd, Spec, Subscriber, Tally
from lab.benchmarks.processes.stamps import stamped
from lab.benchmarks.results import record
from lab.benchmarks.scenarios import appends, delivery, neighbour, openings, requests, servers
from lab.benchmarks.sizes import QUICK


def counted(*received: str, count: int, base: int = 0) -> dict:
    subscriber = Subscriber(0, "/")
    for part in received:
        subscriber.take(part.encode(), now=1)
    tally = Tally()
    tally.add(subscriber, count=count, base=base)
    return tally.result()


def test_what_comes_twice_is_repeated_and_what_never_comes_is_missing():
    found = counted(stamped(1), stamped(2), stamped(2), stamped(4), count=5)
    assert (found["delivered"], found["repeated"], found["missing"]) == (3, 1, 2)


def test_an_older_event_after_a_newer_one_is_disordered():
    assert counted(stamped(2), stamped(1), count=2)["disordered"] == 1


def test_an_announced_skip_is_not_missing():
    skip = 'data: {"v":1,"type":"replay_skipped","sessionId":"s","from":12,"to":13}\n\n'
    found = counted(stamped(1), skip, count=4, base=10)
    assert (found["delivered"], found["skipped"], found["missing"]) == (1, 2, 1)


def test_a_stamp_cut_by_a_read_counts_when_it_is_whole():
    text = stamped(1)
    assert counted(text[:10], text[10:], count=1)["delivered"] == 1


def test_a_client_that_keeps_no_bytes_counts_the_same_ids():
    text = "".join(f"id: {n}\ndata: {'x' * 30}\n\n" for n in range(50)) + "event: ready\n\n"
    for cut in (1, 7, 400):
        subscriber = Subscriber(0, "/", keeps=False, mark=b"event: ready")
        for start in range(0, len(text), cut):
            subscriber.take(text[start : start + cut].encode(), now=1)
        assert (subscriber.ids, subscriber.has_mark) == (50, True)
        assert len(subscriber.received) < 100


def crowd(*moments: tuple[int, int]) -> Crowd:
    """Return subscribers that were asked and ready at these moments; 0: never."""
    spec = Spec(1, {}, [(0, "/")] * len(moments), ready="", at_once=1, deadline_s=0)
    made = Crowd(spec)
    for subscriber, (asked_at, ready_at) in zip(made.subscribers, moments, strict=True):
        subscriber.asked_at, subscriber.ready_at = asked_at, ready_at
    made.last_read_at = 9_000_000
    return made


def test_the_time_for_all_streams_begins_with_the_first_that_is_asked():
    opened = crowd((2_000_000, 5_000_000), (3_000_000, 9_000_000)).open_all()
    assert opened["took_ms"] == [3, 6]
    assert (opened["ready"], opened["ended_by"], opened["total_ms"]) == (2, "all", 7)


@pytest.mark.parametrize("last", [(0, 0), (4_000_000, 0)], ids=["not asked", "not ready"])
def test_streams_that_are_not_all_open_have_no_time_for_all(last):
    opened = crowd((2_000_000, 5_000_000), last).open_all()
    assert (opened["ready"], opened["took_ms"], opened["ended_by"]) == (1, [3], "deadline")
    assert "total_ms" not in opened


@pytest.mark.parametrize("contender", [OURS, PLAIN, STOCK], ids=lambda each: each.name)
def test_every_event_reaches_every_subscriber_once(contender):
    run = delivery.flood(contender, QUICK)
    assert run["appended"] == QUICK.flood_events
    assert run["delivered"] == QUICK.flood_events * QUICK.flood_subscribers
    assert run["missing"] == run["skipped"] == 0
    assert run["ended_by"] == "all"


def test_the_server_runs_on_uvloop_and_its_cpu_has_one_name_over_all_loads():
    for case, load in servers.loads(QUICK).items():
        values = load(ON_UVLOOP)
        assert values["cpu_us_each"] >= 0, case
        assert values.get("ended_by", "all") == "all", case


@pytest.mark.parametrize("contender", [OURS, PLAIN], ids=lambda each: each.name)
def test_a_return_is_measured_up_to_the_last_event_that_was_missed(contender):
    run = openings.returning(contender, QUICK, clients=3, gap=200)
    assert (run["returned"], run["events_each"]) == (3, 200)


def test_receipts_are_measured_over_http():
    run = requests.requesting(PLAIN, QUICK, "send", 2)
    assert run["per_s"] > 0
    assert run["p50_ms"] <= run["p99_ms"]


def test_appends_are_measured_in_a_process_of_their_own():
    run = appends.measure(appends.Database("SQLite", synchronous="FULL"), QUICK)
    assert min(run[m.key] for m in PARTS["appends"].measures) > 0
    plain = appends.measure(appends.PLAIN_TABLE, QUICK)
    assert min(plain["singles_per_s"], plain["groups_per_s"]) > 0


def test_a_neighbour_is_heard_alone_and_beside_a_flood():
    alone, beside = neighbour.measure(QUICK)
    assert (alone["deltas"], alone["events"]) == (0, 0)
    assert beside["deltas"] == QUICK.neighbour_deltas
    assert beside["events"] > 0
    assert alone["words"] == beside["words"] == QUICK.neighbour_words


def test_the_command_prints_tables_and_ratios_and_writes_a_record(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "CONTENDERS", (PLAIN,))
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    command.main(["open", "--quick", "--out", str(first)])
    assert "| 5 streams | starlette, sse-starlette | 5 | 5 |" in capsys.readouterr().out
    command.main(["open", "--quick", "--out", str(second), "--compare", str(first)])
    assert "## Beside first.json" in capsys.readouterr().out
    written = record.read(second)
    assert json.loads(second.read_text())["commit"] == written.commit != ""
    assert written.machine["cores"] > 0
    assert written.versions["starlette"]
    assert [run.round for run in written.parts["open"].runs] == [1]


def test_the_command_refuses_an_unknown_part(capsys):
    with pytest.raises(SystemExit):
        command._options(["nothing"])
    assert "no part nothing" in capsys.readouterr().err


def test_the_command_knows_its_usual_sizes():
    options = command._options([])
    assert {*options.parts, "soak"} == set(PARTS)
    assert options.bound == command.SIZES.bound_s
    assert replace(command.SIZES, rounds=options.rounds or 3) == command.SIZES
