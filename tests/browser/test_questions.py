"""Questions of an agent: no press answers one that a person cannot have read."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.chat import Chat, becomes_true
from tests.browser.permission_requests import Requests

SCHEMA = {"type": "object", "properties": {"word": {"type": "string", "default": "yes"}}}


class Questions:
    """The open questions of one session, answered as a server answers them."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.answers: list[dict[str, Any]] = []
        self.form: Locator = requests.chat.page.locator("form.question")
        self.armed: Locator = requests.chat.page.locator('form.question[data-armed="true"]')

    @classmethod
    async def opened(cls, chat: Chat, *titles: str, **more: Any) -> Questions:
        """Open a session without an agent, with a question for each title."""
        questions = cls(await Requests.opened(chat))
        await chat.page.route("**/api/chat/answer", questions._answer)
        await questions.ask(*titles, **more)
        await expect(questions.form).to_contain_text(titles[0])
        return questions

    async def ask(self, *titles: str, **more: Any) -> None:
        """Append one question per title; its digest is made of the title."""
        await self.requests.append(
            [
                (
                    "question_asked",
                    {
                        "questionId": f"q-{title}",
                        "title": title,
                        "schema": SCHEMA,
                        "expiresAt": None,
                        "digest": f"d-{title}",
                        **more,
                    },
                )
                for title in titles
            ]
        )

    async def _answer(self, route: Route) -> None:
        body = route.request.post_data_json
        self.answers.append(body)
        await route.fulfill(json={"ok": True})
        answered = {
            "questionId": body["questionId"],
            "action": body["action"],
            "values": body["values"] or {},
            "by": "user",
            "reason": "answered",
        }
        await self.requests.append([("question_answered", answered)])

    def answered(self) -> list[tuple[str, str]]:
        """Return the ids of the questions that were answered, each with its action."""
        return [(answer["questionId"], answer["action"]) for answer in self.answers]


# Presses a button of the second question in the moment in which it stands there.
_PRESS_THE_SECOND = """(name) => {
  const root = document.getElementById("questions");
  new MutationObserver((_, observer) => {
    if (!root.textContent.includes("second")) return;
    observer.disconnect();
    const button = [...root.querySelectorAll("button")].find((one) => one.textContent === name);
    button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    button.click();
    window.isPressed = true;
  }).observe(root, { childList: true });
}"""


@pytest.mark.parametrize(
    ("button", "action"), [("Answer", "accept"), ("Decline", "decline"), ("Cancel", "cancel")]
)
async def test_a_double_click_answers_one_question(chat: Chat, button: str, action: str) -> None:
    questions = await Questions.opened(chat, "first", "second")
    await chat.page.evaluate(_PRESS_THE_SECOND, button)
    await questions.armed.get_by_role("button", name=button).dblclick()
    await expect(questions.form).to_contain_text("second")
    await becomes_true(chat.page, "window.isPressed")
    # A press on the armed form is sent after all that came before it.
    await questions.armed.get_by_role("button", name="Decline").click()
    await expect(questions.form).to_have_count(0)
    assert questions.answered() == [("q-first", action), ("q-second", "decline")]


async def test_a_held_key_answers_one_question(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first", "second")
    await expect(questions.armed).to_have_count(1)
    await questions.form.get_by_label("word").focus()
    for _ in range(10):
        await chat.page.keyboard.down("Enter")  # as a held key repeats
    await expect(questions.form).to_contain_text("second")
    await expect(questions.armed).to_have_count(1)
    await questions.form.get_by_label("word").focus()
    for _ in range(10):
        await chat.page.keyboard.down("Enter")
    await chat.page.keyboard.up("Enter")
    await questions.armed.get_by_role("button", name="Decline").click()
    await expect(questions.form).to_have_count(0)
    assert questions.answered() == [("q-first", "accept"), ("q-second", "decline")]


async def test_a_form_that_is_filled_in_is_sent_at_once(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first")
    await expect(questions.armed).to_have_count(1)
    word = questions.form.get_by_label("word")
    await word.fill("")
    await word.press_sequentially("blue")
    await word.press("Enter")
    await expect(questions.form).to_have_count(0)
    [answer] = questions.answers
    assert (answer["values"], answer["digest"]) == ({"word": "blue"}, "d-first")


async def test_a_question_waits_behind_a_permission_request(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first")
    await questions.form.get_by_label("word").fill("half written")
    await expect(questions.armed).to_have_count(1)
    await questions.requests.append([("permission_request", _request())])
    await expect(questions.form).to_be_hidden()
    await expect(questions.form).to_have_attribute("data-armed", "false")
    card = chat.page.locator("#permissions .permission[data-armed=true]")
    await card.get_by_role("button", name="Reject").click()
    await expect(questions.form).to_be_visible()
    await questions.armed.get_by_role("button", name="Answer").click()
    await expect(questions.form).to_have_count(0)
    assert questions.answers[0]["values"] == {"word": "half written"}


async def test_an_answer_to_another_question_is_refused_with_a_sentence(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first")
    sentence = "The request is not the one that was shown. Read it again and decide."

    async def refuse(route: Route) -> None:
        error = {"ok": False, "code": "stale_request", "error": sentence}
        await route.fulfill(status=409, json=error)

    await chat.page.route("**/api/chat/answer", refuse)
    await questions.armed.get_by_role("button", name="Answer").click()
    await expect(chat.page.locator("#toasts")).to_contain_text(sentence)
    await expect(questions.form).to_contain_text("first")


def _request() -> dict[str, Any]:
    return {
        "permId": "p1",
        "toolName": "run",
        "title": "",
        "input": {"command": "ls"},
        "options": [{"id": "reject", "kind": "reject_once", "label": "Reject"}],
        "expiresAt": None,
        "digest": "d1",
    }


async def test_a_press_elsewhere_puts_the_answer_off(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first")
    await expect(questions.armed).to_have_count(1)
    box = await questions.form.get_by_role("button", name="Answer").bounding_box()
    assert box is not None
    # Both in one step of the page: no time passes between them, on any machine.
    await chat.page.evaluate(
        """([x, y]) => {
          document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
          const button = document.elementFromPoint(x, y);
          button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
          button.click();
        }""",
        [box["x"] + 5, box["y"] + 5],
    )
    await questions.armed.get_by_role("button", name="Decline").click()
    await expect(questions.form).to_have_count(0)
    assert questions.answered() == [("q-first", "decline")]


async def test_the_page_of_a_question_is_led_away_from_other_ports_of_this_host(chat: Chat) -> None:
    host = chat.url.split("//")[1].split(":")[0]
    away = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}[host]
    url = f"http://{host}:9/allow?a=1"
    questions = await Questions.opened(chat, "first", url=url)
    link = questions.form.get_by_role("link")
    await expect(link).to_have_text(url)
    await expect(link).to_have_attribute("href", f"http://{away}:9/allow?a=1")
    await expect(link).to_have_class("other-port")
    await questions.ask("second", url="https://example.org/")
    await questions.armed.get_by_role("button", name="I have done it").click()
    await expect(questions.form).to_contain_text("second")
    await expect(questions.form.get_by_role("link")).to_have_attribute(
        "href", "https://example.org/"
    )


async def test_a_question_that_expired_can_be_asked_again(chat: Chat) -> None:
    questions = await Questions.opened(chat, "first")
    ended = {"questionId": "q-first", "action": "cancel", "values": {}, "by": "server"}
    told = {"code": "question_expired", "error": "A question expired: first"}
    other = {"code": "mode_refused", "error": "The agent stays in its mode."}
    await questions.requests.append(
        [("question_answered", ended | {"reason": "timeout"}), ("error", told), ("error", other)]
    )
    await expect(questions.form).to_have_count(0)
    again = chat.page.get_by_role("button", name="Ask again")
    await expect(again).to_have_count(1)
    await chat.page.reload()
    await chat.live()
    await expect(chat.page.locator(".notice", has=again)).to_contain_text(told["error"])
    await again.click()
    await expect(chat.prompts.last).to_contain_text(told["error"])
    await expect(chat.prompts.last).to_contain_text("Please ask again and continue.")
