"""Records, tables, ratios and pages of the benchmarks: each number is the one of the record."""

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from lab.benchmarks.contenders import WIDE_LIMITS
from lab.benchmarks.growth import reads
from lab.benchmarks.parts import PARTS
from lab.benchmarks.results import compare, pages, record, svg, tables
from lab.benchmarks.results.record import Better, Measure, NotARecord, PartRecord, Record, Run
from lab.benchmarks.scenarios import encoders
from lab.benchmarks.sizes import QUICK, Sizes
from sessions.core.conf import Setting, chat

MEASURES = (
    Measure("per_s", "per s", 0, Better.MORE),
    Measure("ms", "ms", 1, Better.LESS),
    Measure("ended_by", "ended by"),
)


def runs(contender: str, *pairs: tuple[float, float]) -> list[Run]:
    return [
        Run("c", contender, number, {"per_s": per_s, "ms": ms, "ended_by": "all"})
        for number, (per_s, ms) in enumerate(pairs, 1)
    ]


def recorded(*made: Run) -> Record:
    return Record(
        "2026-11-29 07:00 UTC", "abc", {"cores": 2}, {}, [], {"flood": PartRecord("T", [*made])}
    )


def test_every_limit_is_on_while_it_is_measured():
    """0 switches a limit off."""
    assert {int(limit) for limit in WIDE_LIMITS.values()} == {100_000_000}
    named = {name.removeprefix("CHAT_") for name in WIDE_LIMITS}
    assert named <= {name for name, value in vars(type(chat)).items() if isinstance(value, Setting)}


def test_the_usual_sizes_are_those_that_the_docs_name():
    text = (pages.DOCS / "benchmarks.md").read_text(encoding="utf-8")
    sizes = Sizes()
    flood = f"{sizes.flood_subscribers:,} streams, {sizes.flood_events:,} events"
    assert f"| flood | one session, {flood} as fast as the log takes them |" in text
    assert (sizes.flood_subscribers, sizes.flood_events) == (500, 5000)
    soak = f"{sizes.soak_streams:,} streams on {sizes.soak_sessions} sessions"
    assert f"{soak}, an event a second in each session" in text
    assert (sizes.soak_seconds, sizes.soak_rate) == (1800, 1)


def test_statements_that_begin_alike_have_a_plan_each(monkeypatch):
    """The pinned chats and the others of a page differ at the end of a long statement."""
    alike = "SELECT id FROM chat WHERE " + " AND ".join(f"column_{n} = 'x'" for n in range(20))
    sent = [f"{alike} AND pinned", f"{alike} AND NOT pinned", f"{alike} AND pinned"]
    captured = SimpleNamespace(captured_queries=[{"sql": sql} for sql in sent])
    monkeypatch.setattr(reads, "CaptureQueriesContext", lambda _: nullcontext(captured))
    monkeypatch.setattr(reads, "_explained", lambda sql: [sql.removeprefix(alike).strip()])
    lines = list(reads._plans_of(lambda _: None, None))
    assert lines[1::2] == ["    AND pinned", "    AND NOT pinned"]
    assert all(len(line) <= reads.LONGEST_SQL + 2 for line in lines)


def test_every_encoder_writes_the_same_json(monkeypatch):
    """orjson is measured where it is installed; here a stand-in is."""
    stand_in = SimpleNamespace(dumps=lambda value: json.dumps(value).encode())
    monkeypatch.setitem(sys.modules, encoders.ORJSON, stand_in)
    for value, able in encoders.objects().values():
        assert encoders.ORJSON in able
        assert all(json.loads(encode(value)) == value for encode in able.values())
    monkeypatch.setitem(sys.modules, encoders.ORJSON, None)
    assert all(encoders.ORJSON not in able for _, able in encoders.objects().values())


def test_encoders_take_turns_on_each_object():
    made = list(PARTS["encoders"].run(QUICK, ()))
    assert {run.case for run in made} == set(encoders.objects())
    assert all(run.values["bytes"] > 0 <= run.values["cpu_us_each"] for run in made)


def test_a_record_is_read_as_it_was_written(tmp_path):
    told = recorded(*runs("ours", (10, 1.5)))
    told.write(tmp_path / "folder" / "one.json")
    assert record.read(tmp_path / "folder" / "one.json") == told


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "parts": {"a": 1}}', "\udcff"]
)
def test_a_file_that_is_no_record_is_refused_in_words(tmp_path, text):
    path = tmp_path / "wrong.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(NotARecord, match=r"wrong\.json"):
        record.read(path)
    with pytest.raises(NotARecord, match="cannot be read"):
        record.read(tmp_path / "absent.json")


def test_a_table_has_medians_with_their_spread():
    table = tables.of_runs(runs("ours", (1000, 1), (3000, 2), (2000, 9)), MEASURES)
    assert "| c | ours | 2,000 (1,000 to 3,000) | 2.0 (1.0 to 9.0) | all |" in table


def test_ratios_are_of_the_same_round_and_more_than_one_is_better():
    made = [*runs("ours", (100, 2), (400, 2)), *runs("peer", (50, 8), (100, 4))]
    table = tables.ratios(made, MEASURES, ours="ours")
    assert "| c | peer | per s | 3.00 (2.00 to 4.00) |" in table
    assert "| c | peer | ms | 3.00 (2.00 to 4.00) |" in table


def test_a_ratio_without_two_numbers_is_left_out():
    made = [*runs("ours", (0, 2)), *runs("peer", (50, 0))]
    assert tables.ratios(made, MEASURES, ours="ours") == ""


def test_a_comparison_has_the_spread_of_every_pair():
    now, earlier = recorded(*runs("ours", (200, 1), (400, 1))), recorded(*runs("ours", (100, 2)))
    text = compare.with_earlier(now, earlier, {"flood": MEASURES})
    assert "| c | ours | per s | 100 | 300 (200 to 400) | 3.00 (2.00 to 4.00) |" in text
    assert "| c | ours | ms | 2.0 | 1.0 | 2.00 |" in text


def test_a_comparison_of_two_other_runs_says_so():
    now, earlier = recorded(*runs("ours", (1, 1))), recorded(*runs("peer", (1, 1)))
    text = compare.with_earlier(now, earlier, {"flood": MEASURES})
    assert text == "The two runs have no case in common."


def test_a_curve_is_a_picture_with_every_line_and_point():
    drawn = svg.curves("<T>", x="events", y="ms", lines={"a & b": [(10, 1), (1000, 20)]})
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text == "<T>"
    assert len(root.findall(f"{space}circle")) == 2
    assert "a & b" in [text.text for text in root.findall(f"{space}text")]


def test_the_tables_of_the_docs_are_those_of_the_records():
    """`python -m lab.benchmarks.results.pages` writes them again."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in pages.pages()}
    assert {name: pages.rendered(text) for name, text in texts.items()} == texts


def test_the_curves_of_the_docs_are_those_of_the_records():
    drawn = {path.name: path.read_text(encoding="utf-8") for path in pages.CURVES.glob("*")}
    assert drawn == {path.name: picture for path, picture in pages.pictures().items()}
    shown = set(re.findall(r"curves/([\w-]+\.svg)", "".join(map(Path.read_text, pages.pages()))))
    assert shown == set(drawn)


def test_every_record_is_shown_and_every_run_has_known_measures():
    shown = {
        found["record"] for p in pages.pages() for found in pages.BLOCK.finditer(p.read_text())
    }
    assert shown == {path.stem for path in pages.RESULTS.glob("*.json")}
    for path in pages.RESULTS.glob("*.json"):
        for name, part in record.read(path).parts.items():
            keys = {measure.key for measure in PARTS[name].measures}
            assert all(keys & run.values.keys() for run in part.runs), (path.name, name)
