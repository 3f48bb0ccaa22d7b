"""The benchmarks' own code, with tiny numbers: what it counts is exact, and it ends by itself."""

from dataclasses import replace

from lab.benchmarks import __main__ as command
from lab.benchmarks import appends, neighbour, scenarios
from lab.benchmarks.client import Subscriber, Tally
from lab.benchmarks.contenders import OURS, STOCK
from lab.benchmarks.scenarios import Sizes
from lab.benchmarks.stamps import stamped

TINY = Sizes(
    rounds=1,
    bound_s=20,
    settle_s=0.1,
    flood_subscribers=4,
    flood_events=30,
    returning=3,
    history=300,
    idle_streams=5,
    idle_sessions=2,
    singles=20,
    grouped=40,
    receipts=20,
    neighbour_deltas=2000,
    neighbour_words=5,
)


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


def test_every_event_reaches_every_subscriber_of_both_servers_once():
    for contender in (OURS, STOCK):
        run = scenarios.flood(contender, TINY)
        assert run.appended == TINY.flood_events
        assert run.counted["delivered"] == TINY.flood_events * TINY.flood_subscribers
        assert run.counted["missing"] == run.counted["skipped"] == 0
        assert run.counted["ended_by"] == "all"


def test_a_return_is_measured_up_to_its_snapshot():
    run = scenarios.comeback(OURS, TINY, 200)
    assert run.returned == TINY.returning
    assert run.events_each == 200


def test_appends_are_measured_in_a_process_of_their_own():
    run = appends.measure(appends.Database("SQLite", synchronous="FULL"), TINY)
    assert min(run.singles_per_s, run.grouped_per_s, run.receipts_per_s) > 0


def test_a_neighbour_is_heard_alone_and_beside_a_flood():
    alone, beside = neighbour.measure(TINY)
    assert (alone.deltas, alone.events) == (0, 0)
    assert beside.deltas == TINY.neighbour_deltas
    assert beside.events > 0
    assert alone.words == beside.words == TINY.neighbour_words


def test_the_command_prints_a_table_with_a_row_for_each_run(capsys):
    command.run_comeback([OURS], replace(TINY, gaps=(1,)))
    printed = capsys.readouterr().out
    assert "1 events behind" in printed
    assert printed.count("| Backstay |") == TINY.rounds


def test_the_command_knows_its_usual_sizes():
    assert command._options(["a"]).bound == Sizes().bound_s
    assert command._options(["a"]).rounds == Sizes().rounds
