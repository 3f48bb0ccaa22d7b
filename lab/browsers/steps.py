"""The steps of the first hour, in order; each but the first begins a new chat."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lab.browsers.line import Line
from lab.browsers.page import DELIVERIES, Page
from lab.browsers.tab import DESKTOP, PHONE
from lab.rig.servers import Server

WORDS: Final = 60
_ANSWER: Final = "[...document.querySelectorAll('.answer .prose')].at(-1)?.innerText"
# Browsers open a window for a press alone.
_OFFER_A_WINDOW: Final = """(() => {
  const button = document.createElement("button");
  button.id = "lab-open";
  button.textContent = "Open";
  button.style = "position: fixed; top: 0; left: 0; z-index: 9";
  button.onclick = () => (window.labOther = open(location, "", "width=800,height=600"));
  document.body.append(button);
})()"""
_IS_OVER: Final = f"{DELIVERIES}.at(-1) === 'Answered'"


class Difference(AssertionError):
    """The page does not do what it does elsewhere; the message says how."""


@dataclass(frozen=True)
class Visit:
    """A browser at a server of its own, over a line that can be cut."""

    page: Page
    server: Server
    line: Line

    def log(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of these kinds in the shown chat, from the server's database."""
        events = self.server.data.call("events", session=self.page.session)
        return [event for event in events if event["type"] in kinds]


def holds(is_so: object, otherwise: object) -> None:
    """Raise a Difference unless something is so."""
    if not is_so:
        raise Difference(str(otherwise))


def log_in(visit: Visit) -> None:
    """Open the link that the server has printed, and press its button."""
    visit.page.open(visit.server.login_link.removeprefix(visit.server.url))
    visit.page.press("button", "Log in as owner")
    visit.page.wait("location.pathname === '/'")


def become_live(visit: Visit) -> None:
    """Open the chat page: the stream is live and the agents are there."""
    visit.page.new_chat()


def stream_markdown(visit: Visit) -> None:
    """Send a first prompt: its answer is rendered while it streams."""
    visit.page.new_chat()
    visit.page.send("/essay 2")
    visit.page.wait("document.querySelector('.answer .prose h4')?.textContent === 'Section 1'")
    holds(not visit.page.tab.evaluate(_IS_OVER), "no Markdown before the end of the answer")
    visit.page.answered(1)
    counts = "['h4', 'table', 'pre'].map((e) => document.querySelectorAll(`.answer ${e}`).length)"
    found = visit.page.tab.evaluate(counts)
    holds(found == [2, 2, 2], f"headings, tables and code: {found}")


def write_a_long_prompt(visit: Visit) -> None:
    """Write a prompt of several lines: its field grows with it."""
    visit.page.new_chat()
    visit.page.press("#prompt")
    height = "document.getElementById('prompt').clientHeight"
    before = int(visit.page.tab.evaluate(height))
    visit.page.tab.write("A sentence that takes a part of the line. " * 8)
    hidden = "((e) => e.scrollHeight - e.clientHeight)(document.getElementById('prompt'))"
    after, rest = int(visit.page.tab.evaluate(height)), int(visit.page.tab.evaluate(hidden))
    holds(after > before and rest <= 0, f"from {before} px to {after} px, {rest} px out of sight")
    visit.page.tab.write("\n")
    visit.page.answered(1)


def allow(visit: Visit) -> None:
    """Allow a command: its card is armed after a moment, and the command runs."""
    visit.page.new_chat()
    visit.page.send("/run true")
    visit.page.has('.permission[data-armed="true"]')
    visit.page.press(".permission [data-option=allow_once]")
    visit.page.answered(1)
    holds("exit code 0" in visit.page.last_answer(), visit.page.last_answer())


def answer_a_question(visit: Visit) -> None:
    """Fill the form of a question and send it."""
    visit.page.new_chat()
    visit.page.send("/ask")
    visit.page.has('form.question[data-armed="true"]')
    visit.page.press("[data-name=colour] label")
    visit.page.tab.write("B")
    visit.page.press("[data-name=tags] label", "cheap")
    visit.page.press("[data-name=note] input")
    visit.page.tab.write("Größe 3")
    visit.page.press("form.question button", "Answer")
    visit.page.answered(1)
    given = "colour: blue, count: 3, tags: ['cheap'], sure: False, note: Größe 3"
    holds(given in visit.page.last_answer(), visit.page.last_answer())


def reload_in_mid_answer(visit: Visit) -> None:
    """Load the page again while an answer streams: it continues."""
    visit.page.new_chat()
    visit.page.send(f"/slow {WORDS}")
    _wait_for_word(visit, 10)
    visit.page.reload()
    visit.page.live()
    holds(not visit.page.tab.evaluate(_IS_OVER), "the answer had ended before the reload")
    visit.page.answered(1)
    _has_each_word_once(visit)


def lose_the_line(visit: Visit) -> None:
    """Lose the line in mid-answer and write a prompt: nothing is lost or repeated."""
    visit.page.new_chat()
    visit.page.send(f"/slow {WORDS}")
    _wait_for_word(visit, 10)
    visit.line.cut()
    try:
        visit.page.wait("document.getElementById('line').dataset.kind !== 'live'")
        visit.page.send("Written without a line")
        visit.page.wait(f"{DELIVERIES}.length === 2")
    finally:
        visit.line.join()
    visit.page.live()
    visit.page.answered(2)
    _has_each_word_once(visit)
    sent = [event["text"] for event in visit.log("user_message")]
    holds(sent == [f"/slow {WORDS}", "Written without a line"], sent)


def show_two_windows(visit: Visit) -> None:
    """Open the chat in a second window: both show the same answer, over one stream."""
    visit.page.new_chat()
    visit.page.send("/slow 5")
    visit.page.answered(1)
    visit.page.tab.evaluate(_OFFER_A_WINDOW)
    visit.page.press("#lab-open")
    try:
        visit.page.wait("labOther.document.getElementById('line')?.dataset.kind === 'live'")
        visit.page.send(f"/slow {WORDS}")
        visit.page.answered(2)
        visit.page.wait(f"{_ANSWER.replace('document', 'labOther.document')} === {_ANSWER}")
        streams = visit.server.data.call("open_connections", name="owner")
        holds(streams == 1, f"{streams} streams are open")
    finally:
        visit.page.tab.evaluate("window.labOther?.close()")


def survive_a_restart(visit: Visit) -> None:
    """Kill the server and start it again: the page comes back by itself, with every message."""
    visit.page.new_chat()
    visit.page.send("Before the end")
    visit.page.answered(1)
    visit.server.kill()
    visit.page.wait("document.getElementById('line').dataset.kind !== 'live'")
    visit.server.start()
    visit.page.live()
    visit.page.send("Behind the start")
    visit.page.answered(2)


def fit_a_phone(visit: Visit) -> None:
    """Give the page the window of a phone: nothing is wider than it."""
    visit.page.tab.resize(*PHONE)
    try:
        visit.page.new_chat()
        visit.page.press("#prompt")
        visit.page.tab.write("/essay 1")
        visit.page.press("#send")
        visit.page.answered(1)
        holds(visit.page.overflow_px() <= 0, f"{visit.page.overflow_px()} px wider than the window")
        visit.page.press("#open-sidebar")
        visit.page.press("#close-sidebar")
    finally:
        visit.page.tab.resize(*DESKTOP)


def log_out(visit: Visit) -> None:
    """Log out: the page of the log-in is there, and the chats are not."""
    visit.page.new_chat()
    visit.page.press("#logout-form button")
    visit.page.has("#id_username")
    visit.page.open()
    visit.page.has("#id_username")


STEPS: Final[dict[str, Callable[[Visit], None]]] = {
    "the one-time link logs in": log_in,
    "the page is live": become_live,
    "an answer is Markdown while it streams": stream_markdown,
    "the field of a prompt grows with it": write_a_long_prompt,
    "a permission is armed and given": allow,
    "a question is answered": answer_a_question,
    "a reload in mid-answer continues": reload_in_mid_answer,
    "a lost line loses and repeats nothing": lose_the_line,
    "two windows share a stream": show_two_windows,
    "the page survives a restart of the server": survive_a_restart,
    "a phone's window is not too narrow": fit_a_phone,
    "the log-out ends the log-in": log_out,
}


def _wait_for_word(visit: Visit, number: int) -> None:
    visit.page.wait(f"document.querySelector('.answer')?.innerText.includes('word{number} ')")


def _has_each_word_once(visit: Visit) -> None:
    shown = "document.querySelector('.answer .prose').innerText"
    words = re.findall(r"word\d+", str(visit.page.tab.evaluate(shown)))
    wanted = [f"word{number}" for number in range(1, WORDS + 1)]
    holds(words == wanted, f"the words are {' '.join(words)}")
