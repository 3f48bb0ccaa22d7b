"""The words of the demo agent, in Markdown."""

from __future__ import annotations

import textwrap

MAX_QUOTE_CHARS = 200

HELP = """\
I am the **demo agent, no AI**. Write anything and I explain the product; or try a fault by hand:

| command | what happens |
| --- | --- |
| `/run CMD` | asks for permission, runs `CMD` in the session's folder, shows its output |
| `/edit TEXT` | asks for permission, adds a line to `demo-notes.txt` in the session's folder |
| `/ask` | asks a question with every kind of field |
| `/picture` | shows a tool whose result is an image |
| `/subagent` | shows a subagent at work; does nothing |
| `/background` | answers, and continues by itself two seconds later |
| `/plan` | works through a plan |
| `/parts` | tells a tool call in parts, as many agents do; runs nothing |
| `/slow N` | streams N words, ten a second |
| `/essay N` | streams N sections of Markdown, ten lines a second |
| `/flood N` | streams N pieces as fast as it can |
| `/crash` | ends in mid-answer |
| `/hang` | streams a little, then answers nothing any more, not even the stop button |
| `/hang hard` | the same, and ignores SIGINT and SIGTERM too |
| `/refuse-interrupt` | streams slowly and answers the stop button with an error |
| `/garbage` | writes binary data where its protocol belongs |
| `/stderr N` | writes N megabytes to its error output |
| `/fail` | ends the turn with an error |
| `/help` | this list |
"""

PLAN = (
    "Read the prompt",
    "Write each step into the log",
    "Send it to every device that watches",
    "Say that it is done",
)

ANSWER = """\
You are talking to **Backstay**, a chat for coding agents that never loses, repeats or waits for \
a message because a connection, a phone, a proxy or a process failed.

### What happens to your prompt

1. Your browser keeps it until the server has confirmed it. Sent twice, it is stored once.
2. The server writes it into the **event log** of this session and only then says *accepted*.
3. A real process, this agent, answers. Each piece of the answer goes through the same log to \
every device that shows the session.

### What you can try

- **Reload this page** while I am still writing: the answer goes on where it was.
- **Turn the network off and on again**: nothing is missing and nothing comes twice.
- **Kill the server** and start it again: the page reconnects by itself and says what was \
interrupted.
- Ask me to do something with `/run ls -l`: I must ask you first.

```python
def catch_up(cursor: int, head: int) -> str:
    return "replay" if head - cursor <= 200 else "skip, and say so"
```

Write `/help` for a list of commands: each breaks something on purpose.
"""


def seen(images: list[dict[str, str]]) -> str:
    """Return a sentence about the images of a prompt: each with its type and its size."""
    told = ", ".join(f"{each['mimeType']}, {len(each['data']) * 3 // 4} bytes" for each in images)
    return f"I see {len(images)} image{'s' * (len(images) > 1)} ({told}).\n\n"


def thinking(prompt: str, *, earlier: int) -> str:
    """Return the demo's train of thought about a prompt."""
    memory = (
        f"I remember {earlier} earlier prompts." if earlier else "This is the first prompt here."
    )
    return (
        f"The person wrote {len(prompt.split())} words. {memory} "
        "There is no model behind me, so I cannot understand them. "
        "The honest thing is to say so and to explain the product."
    )


def answer(prompt: str, *, earlier: int) -> str:
    """Return the demo's answer; it quotes the prompt, shortened, as proof that it arrived."""
    quote = textwrap.shorten(prompt, MAX_QUOTE_CHARS, placeholder=" …").replace("`", "'")
    memory = f" It is prompt {earlier + 1} of this session." if earlier else ""
    return f"I am the demo agent, no AI. You wrote: `{quote}`.{memory}\n\n{ANSWER}"


def essay(sections: int) -> list[str]:
    """Return the lines of an essay of so many sections."""
    text = "".join(map(_section, range(1, sections + 1)))
    return text.splitlines(keepends=True)


def _section(number: int) -> str:
    """Return a section of /essay: a heading, a paragraph, a list, a table and code."""
    return f"""## Section {number}

A paragraph with *emphasis*, **strong words**, `code` and a link to https://example.org/{number}.
It has a second line.

- the first point
- the second point

| name | value |
| --- | ---: |
| section | {number} |

```python
def section_{number}() -> int:
    return {number}
```

"""
