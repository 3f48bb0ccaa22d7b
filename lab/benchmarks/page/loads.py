"""The load of the page over lines of several speeds: at first, and from the browser's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.benchmarks.contenders import OURS
from lab.benchmarks.page.tab import PERSON, Line, Tab, serving, visiting
from lab.benchmarks.results.record import Run
from lab.benchmarks.sizes import Sizes

LINES: Final = (Line("loopback"), Line("4G", 60, 9), Line("Fast 3G", 150, 1.6))


def measure(sizes: Sizes) -> Iterator[Run]:
    """Load the page of a person with chats, twice over each line."""
    with serving() as (server, browser):
        for number in range(sizes.page_chats):
            server.data.call("create_session", name=PERSON, title=f"Chat {number}")
        # The server compresses its files before the first load that counts.
        with visiting(server, browser) as context:
            first = Tab(context, LINES[0])
            first.open(server.url)
            first.wait_for_files()
        for round_ in range(1, sizes.rounds + 1):
            for line in LINES:
                with visiting(server, browser) as context:
                    for cache in ("cold", "warm"):
                        tab = Tab(context, line)
                        tab.open(server.url)
                        tab.wait_for_files()
                        bench = tab.page.evaluate("bench")
                        yield Run(
                            f"load, {line.name}, {cache}",
                            OURS.name,
                            round_,
                            {
                                "requests": len(tab.traffic.addresses),
                                "kb": sum(tab.traffic.sizes.values()) / 1000,
                                "ready_ms": bench["readyMs"],
                                "live_ms": bench["liveMs"],
                            },
                        )
                        tab.close()
