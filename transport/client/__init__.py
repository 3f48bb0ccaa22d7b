"""The Python client: the rules of docs/reference/clients.md, as the browser follows them.

    async with Client("http://127.0.0.1:8000", token, on_frame=show) as chat:
        prompt = chat.send("Hello")             # a new session; queued, sent, repeated if need be
        await prompt.settled()                  # prompt.state, prompt.session_id, prompt.seq
        chat.watch(session_id, cursor=17)       # its events go to show(frame), in order, once

Needs httpx and nothing else of this project: no Django, no database.
"""

from transport.client.client import Client
from transport.client.commands import Answer
from transport.client.outbox import Outbox
from transport.client.prompts import Prompt, PromptState
from transport.client.stream import Status, Stream, StreamState

__all__ = ["Answer", "Client", "Outbox", "Prompt", "PromptState", "Status", "Stream", "StreamState"]
