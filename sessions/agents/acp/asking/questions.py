"""Questions of an agent (elicitation): a form or a page to visit, and the wait for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sessions.agents import port
from sessions.agents.acp.translation.forms import form_of
from sessions.core.clean import clean

Json = dict[str, Any]

METHOD: Final = "elicitation/create"
MAX_TITLE_CHARS: Final = 4000
MAX_URL_BYTES: Final = 2000
# Other addresses could start a program on the person's machine.
_PAGES: Final = ("https://", "http://")


def question(question_id: str, params: Json) -> port.QuestionAsked | None:
    """Return the question of a request; None for one that cannot be shown."""
    message = params.get("message")
    title = message[:MAX_TITLE_CHARS] if isinstance(message, str) else ""
    if params.get("mode") == "url":
        url = params.get("url")
        if not isinstance(url, str) or not _is_page(url):
            return None
        return port.QuestionAsked(question_id, title, form_of({}), url)
    schema = params.get("requestedSchema")
    return port.QuestionAsked(question_id, title, form_of(schema)) if _is_form(schema) else None


def _is_page(url: str) -> bool:
    is_shown_whole = url.isprintable() and len(url.encode()) <= MAX_URL_BYTES
    return is_shown_whole and url.startswith(_PAGES)


def _is_form(schema: Any) -> bool:
    return isinstance(schema, dict) and isinstance(schema.get("properties", {}), dict)


class Questions:
    """The open questions of one agent, by the id that the chat knows them by."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Any, Callable[[Json], None]]] = {}

    def open(self, question_id: str, request_id: Any, reply: Callable[[Json], None]) -> None:
        """Note a question; from now on it can be answered. reply: sends the result, once."""
        self._open[question_id] = (request_id, reply)

    @property
    def is_any_open(self) -> bool:
        """Whether a question waits."""
        return bool(self._open)

    def answer(self, question_id: str, action: port.Action, values: Json) -> bool:
        """Answer a question; return False when it is not open any more."""
        found = self._open.pop(question_id, None)
        if found is None:
            return False
        _, reply = found
        result: Json = {"action": action}
        reply(result | ({"content": clean(values)} if action == "accept" else {}))
        return True

    def withdrawn(self, request_id: Any) -> str | None:
        """Close the question of a request that the agent has cancelled; return its id."""
        for question_id, (own, _) in self._open.items():
            if own == request_id:
                self.answer(question_id, "cancel", {})
                return question_id
        return None

    def void(self) -> None:
        """Answer every open question with `cancel`."""
        for question_id in list(self._open):
            self.answer(question_id, "cancel", {})
