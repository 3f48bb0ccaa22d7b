"""The floor below the appends: rows into one table, with Python's sqlite3 and nothing else.

WAL with synchronous=NORMAL: a power cut may take back acknowledged commits.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from lab.benchmarks.processes import plain
from lab.benchmarks.processes.stamps import stamped
from lab.rig import json_lines

GROUP = 100


def main() -> None:
    """Append one row at a time, then a hundred at a time; print the results."""
    parser = argparse.ArgumentParser()
    for name in ("singles", "grouped", "receipts"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--synchronous", default="")
    options = parser.parse_args()
    database = plain.connect(Path(os.environ["DATA_DIR"]))
    insert = "INSERT INTO event VALUES (0, ?, ?)"
    began = time.monotonic()
    for number in range(options.singles):
        database.execute(insert, (number, json.dumps({"text": stamped(number)})))
    singles_per_s = options.singles / (time.monotonic() - began)
    cpu_s, began = time.process_time(), time.monotonic()
    groups = max(options.grouped // GROUP, 1)
    for first in range(options.singles, options.singles + groups * GROUP, GROUP):
        rows = [(n, json.dumps({"text": stamped(n)})) for n in range(first, first + GROUP)]
        database.execute("BEGIN")
        database.executemany(insert, rows)
        database.execute("COMMIT")
    events = groups * GROUP
    json_lines.say(
        {
            "singles_per_s": singles_per_s,
            "groups_per_s": events / (time.monotonic() - began),
            "cpu_us_per_event": (time.process_time() - cpu_s) * 1e6 / events,
        }
    )


if __name__ == "__main__":
    main()
