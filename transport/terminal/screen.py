"""The screen of a terminal: frames of one session become text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from sessions.text.asking import one_line
from sessions.text.flow import Flow
from sessions.text.visible import visible
from transport.terminal.lines import lines_of, lines_of_all, request_lines
from transport.terminal.requests import Requests

Write = Callable[[str], None]
Frame = dict[str, Any]

_OVER = frozenset({"answered", "interrupted", "failed"})


class Screen:
    """One session, as a terminal shows it; pure but for `write`."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.session_id: str | None = None
        self.requests = Requests()
        # The prompts, by their clientMsgId, whose turns are over.
        self.answered: set[str] = set()
        self._turns: dict[str, str] = {}
        # Skips whose events were not shown: session and first seq → last seq. One that was cut
        # off before its snapshot is announced again, longer.
        self._skips: dict[tuple[str, int], int] = {}
        self._flow = Flow(write)
        self._block_type = ""

    def open(self, session_id: str | None) -> None:
        """Show another session. Requests of the one before can no longer be answered here."""
        self.session_id = session_id
        self.requests.keep(())

    def line(self, text: str) -> None:
        """Write a line of its own."""
        self._flow.end()
        self._write(f"{visible(text)}\n")

    def show(self, frame: Frame) -> None:
        """Show one frame; those of other sessions are left out."""
        if frame.get("sessionId") != self.session_id:
            return
        for line in lines_of(frame):
            self.line(line)
        handler = self._HANDLERS.get(frame["type"])
        if handler is not None:
            handler(self, frame)

    def skips(self) -> list[tuple[int, int]]:
        """Return the skips of this session that were not shown, as (first, last) seq."""
        mine = [
            (first, last) for (name, first), last in self._skips.items() if name == self.session_id
        ]
        return sorted(mine)

    def show_skipped(self, first: int, last: int, events: Iterable[Frame]) -> None:
        """Show the events of a skip, which ends it."""
        self.line(f"— events {first} to {last}, which were skipped —")
        for line in lines_of_all(events):
            self.line(line)
        self.line("— the end of the skipped events —")
        self._skips.pop((self.session_id or "", first), None)

    # --- One kind of frame each -------------------------------------------------------------------

    def _session_snapshot(self, frame: Frame) -> None:
        if frame["turn"]:
            self._turn_start(frame["turn"])
        if frame["full"]:
            title = one_line(frame["title"] or "new session")
            self.line(f"— {title} ({one_line(frame['agent'])}) —")
            for message in [*frame["messages"], *filter(None, [frame["current"]])]:
                self._message(message)
        self._open_requests(frame["permissions"], is_again=frame["full"])

    def _open_requests(self, requests: list[Frame], *, is_again: bool) -> None:
        """Take the list of a snapshot: others were resolved while the stream was down."""
        self.requests.keep([request["permId"] for request in requests])
        for request in requests:
            if is_again or request["permId"] not in self.requests:
                for line in request_lines(request):
                    self.line(line)
                self._permission_request(request)

    def _message(self, message: Frame) -> None:
        if message["role"] == "assistant":
            texts = [b["content"] for b in message["blocks"] if b["blockType"] == "text"]
            self.line("\n".join(texts))
        else:
            if message.get("promptState") in _OVER:
                self.answered.add(message["clientMsgId"])
            mark = "> " if message["role"] == "user" else "! "
            self.line(mark + message["text"])

    def _turn_start(self, frame: Frame) -> None:
        self._turns[frame["turnId"]] = frame["clientMsgId"]

    def _block_start(self, frame: Frame) -> None:
        self._flow.end()
        self._block_type = frame["blockType"]

    def _block_delta(self, frame: Frame) -> None:
        if self._block_type != "tool_use":
            self._flow.add(frame["delta"])

    def _block_end(self, _frame: Frame) -> None:
        self._flow.end()

    def _permission_request(self, frame: Frame) -> None:
        for number, label in self.requests.add(self.session_id or "", frame):
            self.line(f"  :{number} {one_line(label)}")

    def _permission_resolved(self, frame: Frame) -> None:
        self.requests.close(frame["permId"])

    def _turn_end(self, frame: Frame) -> None:
        self.answered.add(self._turns.pop(frame["turnId"], ""))
        self.requests.keep(())

    def _replay_skipped(self, frame: Frame) -> None:
        first, last = frame["from"], frame["to"]
        self._skips[frame["sessionId"], first] = last
        self.line(
            f"[{last - first + 1} events were skipped: :skipped shows them;"
            " the text below is complete again]"
        )

    _HANDLERS: ClassVar[dict[str, Callable[[Screen, Frame], None]]] = {
        "session_snapshot": _session_snapshot,
        "turn_start": _turn_start,
        "block_start": _block_start,
        "block_delta": _block_delta,
        "block_end": _block_end,
        "permission_request": _permission_request,
        "permission_resolved": _permission_resolved,
        "turn_end": _turn_end,
        "replay_skipped": _replay_skipped,
    }
