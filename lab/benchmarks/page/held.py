"""The page with many messages held: keys, frames and paints while an answer streams, memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from playwright.sync_api import Browser

from lab.benchmarks.contenders import OURS
from lab.benchmarks.page.tab import PERSON, Line, Tab, memory_mb, serving, visiting
from lab.benchmarks.processes.client import quantile
from lab.benchmarks.results.record import Run, Value
from lab.benchmarks.sizes import Sizes
from lab.rig.servers import Server
from sessions.text.growing import render

TURNS_PER_CALL: Final = 100
FRAME_MS: Final = 1000 / 60
ANSWER: Final = """\
The cause is in `catch_up`: the cursor is **behind** the head by one.

- The first test reads the head before the append.
- The second one reads it behind it.

```python
def catch_up(cursor: int, head: int) -> int:
    return head - cursor
```
"""
HTML: Final = render(ANSWER)
# Goes to the beginning of what is held; returns how many messages are held.
_SCROLL_UP: Final = """() => {
  document.getElementById("scroll").scrollTop = 0;
  return document.querySelectorAll("#transcript > .part > *").length;
}"""
_TO_END: Final = """() => {
  const box = document.getElementById("scroll");
  box.scrollTop = box.scrollHeight;
}"""
_MORE: Final = "document.querySelectorAll('#transcript > .part > *').length > {}"


def measure(sizes: Sizes) -> Iterator[Run]:
    """Hold more and more messages of one chat, and measure the tab each time."""
    with serving() as (server, browser):
        session = long_chat(server, max(sizes.held_messages))
        for round_ in range(1, sizes.rounds + 1):
            for count in sizes.held_messages:
                found = _held(server, browser, session, count, sizes)
                yield Run(f"{count:,} messages held", OURS.name, round_, found)


def long_chat(server: Server, messages: int) -> str:
    """Make a chat of so many messages; return its id."""
    session = str(server.data.call("create_session", name=PERSON, agent="demo"))
    for first in range(0, messages // 2, TURNS_PER_CALL):
        turns = range(first, min(first + TURNS_PER_CALL, messages // 2))
        drafts = [draft for number in turns for draft in _turn(number)]
        server.data.call("append_drafts", session=session, drafts=drafts)
    return session


def _turn(number: int) -> list[tuple[str, dict[str, Any]]]:
    prompt, answer, block = f"c{number}", f"a{number}", {"blockId": f"b{number}"}
    return [
        (
            "user_message",
            {"messageId": f"u{number}", "clientMsgId": prompt, "text": "Why does it fail?"},
        ),
        ("turn_start", {"turnId": f"t{number}", "clientMsgId": prompt}),
        ("message_start", {"messageId": answer, "turnId": f"t{number}", "role": "assistant"}),
        ("block_start", {"messageId": answer, "blockType": "text", **block}),
        ("block_end", {"messageId": answer, "content": ANSWER, "html": HTML, **block}),
        ("message_end", {"messageId": answer}),
        ("turn_end", {"turnId": f"t{number}", "stopReason": "end_turn"}),
    ]


def _held(
    server: Server, browser: Browser, session: str, count: int, sizes: Sizes
) -> dict[str, Value]:
    with visiting(server, browser) as context:
        tab = Tab(context, Line("loopback"))
        tab.open(f"{server.url}/s/{session}")
        page = tab.page
        page.wait_for_selector("#transcript .answer")
        shown_ms = page.evaluate("performance.now()")
        while (held := int(page.evaluate(_SCROLL_UP))) < count:
            tab.wait(_MORE.format(held))
        page.evaluate(_TO_END)
        page.evaluate("bench.watchKeys()")
        page.locator("#prompt").press_sequentially("x" * sizes.page_keys)
        tab.wait(f"bench.keysMs.length >= {sizes.page_keys}")
        keys = sorted(page.evaluate("bench.keysMs"))
        page.evaluate("bench.watchAnswers()")
        page.locator("#prompt").fill("/essay 40")
        page.locator("#prompt").press("Enter")
        tab.wait("bench.paintsMs.length > 3")
        frames = sorted(page.evaluate("(count) => bench.frames(count)", sizes.page_frames))
        paints = sorted(page.evaluate("bench.paintsMs"))
        memory = memory_mb(browser)
        page.locator("#prompt").press("Escape")
        page.wait_for_selector("#stop", state="hidden")
    return {
        "shown_ms": shown_ms,
        "key_p50_ms": quantile(keys, 0.5),
        "key_p95_ms": quantile(keys, 0.95),
        "frame_p50_ms": quantile(frames, 0.5),
        "dropped": sum(max(0, round(each / FRAME_MS) - 1) for each in frames),
        "frames": len(frames),
        "paint_p50_ms": quantile(paints, 0.5),
        "paint_p95_ms": quantile(paints, 0.95),
        "memory_mb": memory,
    }
