"""The words of the demo agent, in Markdown."""

from __future__ import annotations

import textwrap

MAX_QUOTE_CHARS = 200

HELP = """\
I am the **demo agent, no AI**. Write anything and I explain the product; or try a fault by hand:

| command | what happens |
| --- | --- |
| `/run CMD` | asks for permission, runs `CMD` in the session's folder, shows its output |
| `/plan` | works through a plan |
| `/parts` | tells a tool call in parts, as many agents do; runs nothing |
| `/slow N` | streams N words, ten a second |
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

Write `/help` for a list of commands, each a fault that you can watch the house survive.
"""


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
