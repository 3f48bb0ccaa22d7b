"""The wire shapes in which the scripted endpoint speaks."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from typing import Any

Json = dict[str, Any]

# Where a request has the conversation, by shape.
MESSAGES = ("messages", "input", "contents")
SCRIPT = "SCRIPT: "
# The one argument of a tool that takes a text instead of JSON.
FREEFORM = "freeform"
# What agents call the tool that runs a command, where they do not tell it by its arguments.
SHELLS = ("bash", "run_shell_command")


def event(data: Json, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or ())


def shell_arguments(command: str) -> Json:
    return {"command": command, "description": "a test", "is_background": False}


class Shape(ABC):
    """One answer in one shape; counts words as tokens."""

    def __init__(self, request: Json) -> None:
        self.request = request
        # As of real endpoints no two are alike: a client may drop what it takes for an old answer.
        self.id = uuid.uuid4().hex
        self.output = 0
        said = next((request[name] for name in MESSAGES if request.get(name)), "")
        self.input = len(json.dumps(said).split())

    @property
    def whole(self) -> Json | None:
        """The answer to a request that is not streamed."""
        return None

    @abstractmethod
    def prompt(self) -> str:
        """Return the text of the last message that a person wrote."""

    @abstractmethod
    def said(self) -> list[Json]:
        """Return the conversation, message by message."""

    @abstractmethod
    def results_in(self, message: Json) -> int:
        """Return how many results of tools a message holds."""

    def results(self) -> int:
        """Return how many tools have ended since the last prompt with a script."""
        said = self.said()
        asked = [at for at, message in enumerate(said) if SCRIPT in json.dumps(message)]
        return sum(map(self.results_in, said[asked[-1] + 1 if asked else 0 :]))

    @abstractmethod
    def call(self, name: str, arguments: Json) -> list[bytes]:
        """Return the frames of a call of a tool, and remember that the answer ends with one."""

    @abstractmethod
    def shell(self, command: str) -> tuple[str, Json]:
        """Return the name and the arguments of the tool that runs a command."""

    def begin(self) -> list[bytes]:
        return []

    @abstractmethod
    def step(self, kind: str, text: str) -> list[bytes]:
        """Return the frames of one step."""

    @abstractmethod
    def end(self) -> list[bytes]:
        """Return the last frames."""


class ChatShape(Shape):
    """POST /chat/completions."""

    finish_reason = "stop"

    @property
    def whole(self) -> Json | None:
        if self.request.get("stream"):
            return None
        message = {"role": "assistant", "content": "scripted"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return self._fields("chat.completion", [choice]) | {"usage": self._usage()}

    def prompt(self) -> str:
        users = [m for m in self.request["messages"] if m["role"] == "user"]
        return _texts(users[-1]["content"])

    def said(self) -> list[Json]:
        return list(self.request["messages"])

    def results_in(self, message: Json) -> int:
        return int(message["role"] == "tool")

    def step(self, kind: str, text: str) -> list[bytes]:
        self.output += 1
        return self._delta({"reasoning_content" if kind == "think" else "content": text})

    def _delta(self, delta: Json) -> list[bytes]:
        return [self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])]

    def end(self) -> list[bytes]:
        last = self._chunk([{"index": 0, "delta": {}, "finish_reason": self.finish_reason}])
        return [last, self._chunk([], usage=self._usage()), b"data: [DONE]\n\n"]

    def call(self, name: str, arguments: Json) -> list[bytes]:
        self.finish_reason = "tool_calls"
        function = {"name": name, "arguments": json.dumps(arguments)}
        called = {"index": 0, "id": f"call{self.id}", "type": "function", "function": function}
        return self._delta({"tool_calls": [called]})

    def shell(self, command: str) -> tuple[str, Json]:
        names = [tool["function"]["name"] for tool in self.request["tools"]]
        return next(name for name in SHELLS if name in names), shell_arguments(command)

    def _usage(self) -> Json:
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        }

    def _chunk(self, choices: list[Json], **fields: Any) -> bytes:
        return event(self._fields("chat.completion.chunk", choices) | fields)

    def _fields(self, kind: str, choices: list[Json]) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": 1,
            "model": "scripted",
            "choices": choices,
        }


class ResponsesShape(Shape):
    """POST /responses."""

    def __init__(self, request: Json) -> None:
        super().__init__(request)
        self.items: list[Json] = []
        self.open: Json | None = None

    def prompt(self) -> str:
        users = [i for i in self.request["input"] if i.get("role") == "user"]
        return _texts(users[-1]["content"])

    def said(self) -> list[Json]:
        return list(self.request["input"])

    def results_in(self, message: Json) -> int:
        return int(str(message.get("type", "")).endswith("_output"))

    def begin(self) -> list[bytes]:
        return [self._event("response.created", response=self._response("in_progress"))]

    def step(self, kind: str, text: str) -> list[bytes]:
        self.output += 1
        frames = self._open("reasoning" if kind == "think" else "message")
        assert self.open is not None
        item_id, index = self.open["id"], len(self.items)
        if kind == "think":
            self.open["summary"][0]["text"] += text
            name, extra = "response.reasoning_summary_text.delta", {"summary_index": 0}
        else:
            self.open["content"][0]["text"] += text
            name, extra = "response.output_text.delta", {"content_index": 0}
        delta = self._event(name, item_id=item_id, output_index=index, delta=text, **extra)
        return [*frames, delta]

    def end(self) -> list[bytes]:
        frames = self._close()
        return [*frames, self._event("response.completed", response=self._response("completed"))]

    def _open(self, kind: str) -> list[bytes]:
        if self.open is not None and self.open["type"] == kind:
            return []
        frames = self._close()
        self.open = {"id": f"item{len(self.items)}_{self.id}", "type": kind}
        if kind == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            self.open |= {"role": "assistant", "status": "in_progress", "content": [part]}
        else:
            self.open |= {"summary": [{"type": "summary_text", "text": ""}]}
        added = self._event(
            "response.output_item.added", output_index=len(self.items), item=self.open
        )
        return [*frames, added]

    def _close(self) -> list[bytes]:
        item, self.open = self.open, None
        if item is None:
            return []
        if item["type"] == "message":
            item["status"] = "completed"
        self.items.append(item)
        return [self._event("response.output_item.done", output_index=0, item=item)]

    def shell(self, command: str) -> tuple[str, Json]:
        """Name the tool that the agent offers; a command that needs no more is run unasked."""
        tools = {tool.get("name"): tool for tool in self.request["tools"]}
        name = next(n for n in ("exec_command", "shell_command", "shell") if n in tools)
        arguments: Json = {"exec_command": {"cmd": command}}.get(name, {"command": command})
        if name == "shell":
            arguments = {"command": ["bash", "-lc", command]}
        fields = tools[name].get("parameters", {}).get("properties", {})
        if "sandbox_permissions" in fields:
            arguments |= {"sandbox_permissions": "require_escalated", "justification": "a test"}
        elif "with_escalated_permissions" in fields:
            arguments |= {"with_escalated_permissions": True, "justification": "a test"}
        return name, arguments

    def call(self, name: str, arguments: Json) -> list[bytes]:
        frames = self._close()
        item: Json = {
            "id": f"item{len(self.items)}_{self.id}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call{self.id}",
            "name": name,
        }
        if "." in name:
            item["namespace"], _, item["name"] = name.rpartition(".")
        if FREEFORM in arguments:
            item |= {"type": "custom_tool_call", "input": arguments[FREEFORM]}
        else:
            item |= {"arguments": json.dumps(arguments)}
        self.items.append(item)
        added = self._event("response.output_item.added", output_index=0, item=item)
        done = self._event("response.output_item.done", output_index=0, item=item)
        return [*frames, added, done]

    def _response(self, status: str) -> Json:
        usage = {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input + self.output,
        }
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": 1,
            "status": status,
            "model": "scripted",
            "output": self.items,
            "usage": usage if status == "completed" else None,
        }

    def _event(self, name: str, **fields: Any) -> bytes:
        return event({"type": name, **fields}, name)


class MessagesShape(Shape):
    """POST /v1/messages."""

    def __init__(self, request: Json) -> None:
        super().__init__(request)
        self.index = -1
        self.open = ""
        self.stop_reason = "end_turn"

    @property
    def whole(self) -> Json | None:
        if self.request.get("stream"):
            return None
        return self._message() | {"content": [{"type": "text", "text": "scripted"}]}

    def prompt(self) -> str:
        users = [m for m in self.request["messages"] if m["role"] == "user"]
        return next(t for m in reversed(users) if (t := self._written(m)))

    def said(self) -> list[Json]:
        return list(self.request["messages"])

    def results_in(self, message: Json) -> int:
        content = message["content"]
        return 0 if isinstance(content, str) else sum(p["type"] == "tool_result" for p in content)

    def begin(self) -> list[bytes]:
        return [self._event("message_start", message=self._message() | {"stop_reason": None})]

    def step(self, kind: str, text: str) -> list[bytes]:
        self.output += 1
        block = {"type": "thinking", "thinking": "", "signature": ""}
        delta = {"type": "thinking_delta", "thinking": text}
        if kind == "text":
            block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": text}
        frames = self._open(block)
        return [*frames, self._event("content_block_delta", index=self.index, delta=delta)]

    def end(self) -> list[bytes]:
        usage = {"output_tokens": self.output}
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        return [
            *self._close(),
            self._event("message_delta", delta=delta, usage=usage),
            self._event("message_stop"),
        ]

    def _written(self, message: Json) -> str:
        content = message["content"]
        if isinstance(content, str):
            return content
        return "\n".join(part["text"] for part in content if part["type"] == "text")

    def shell(self, command: str) -> tuple[str, Json]:
        return "Bash", {"command": command, "description": "a test"}

    def call(self, name: str, arguments: Json) -> list[bytes]:
        self.stop_reason = "tool_use"
        block = {"type": "tool_use", "id": f"toolu_{self.id}", "name": name, "input": {}}
        frames = self._open(block)
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        return [*frames, self._event("content_block_delta", index=self.index, delta=delta)]

    def _open(self, block: Json) -> list[bytes]:
        if self.open == block["type"] != "tool_use":
            return []
        frames = self._close()
        self.index += 1
        self.open = block["type"]
        start = self._event("content_block_start", index=self.index, content_block=block)
        return [*frames, start]

    def _close(self) -> list[bytes]:
        if not self.open:
            return []
        frames = []
        if self.open == "thinking":
            delta = {"type": "signature_delta", "signature": "c2ln"}
            frames.append(self._event("content_block_delta", index=self.index, delta=delta))
        self.open = ""
        return [*frames, self._event("content_block_stop", index=self.index)]

    def _message(self) -> Json:
        usage = {"input_tokens": self.input, "output_tokens": 1}
        return {
            "id": f"msg_{self.id}",
            "type": "message",
            "role": "assistant",
            "model": self.request.get("model", "scripted"),
            "content": [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }

    def _event(self, name: str, **fields: Any) -> bytes:
        return event({"type": name, **fields}, name)


class CountShape(MessagesShape):
    """POST /v1/messages/count_tokens."""

    @property
    def whole(self) -> Json | None:
        return {"input_tokens": self.input}


class GenerateShape(Shape):
    """POST /v1beta/models/…:streamGenerateContent."""

    def prompt(self) -> str:
        users = [c for c in self.request["contents"] if c.get("role") == "user"]
        return next(text for c in reversed(users) if (text := _texts(c["parts"]).strip()))

    def said(self) -> list[Json]:
        return list(self.request["contents"])

    def results_in(self, message: Json) -> int:
        return sum("functionResponse" in part for part in message["parts"])

    def step(self, kind: str, text: str) -> list[bytes]:
        self.output += 1
        return [event(self._answer({"text": text, "thought": kind == "think"}))]

    def call(self, name: str, arguments: Json) -> list[bytes]:
        return [event(self._answer({"functionCall": {"name": name, "args": arguments}}))]

    def shell(self, command: str) -> tuple[str, Json]:
        return "run_shell_command", shell_arguments(command)

    def end(self) -> list[bytes]:
        return [event(self._answer({"text": ""}, finishReason="STOP"))]

    def _answer(self, part: Json, **fields: Any) -> Json:
        content = {"role": "model", "parts": [part]}
        usage = {
            "promptTokenCount": self.input,
            "candidatesTokenCount": self.output,
            "totalTokenCount": self.input + self.output,
        }
        return {
            "candidates": [{"index": 0, "content": content, **fields}],
            "usageMetadata": usage,
            "modelVersion": "scripted",
            "responseId": self.id,
        }


class GenerateWholeShape(GenerateShape):
    """POST /v1beta/models/…:generateContent."""

    @property
    def whole(self) -> Json | None:
        return self._answer({"text": "scripted"}, finishReason="STOP")


class GenerateCountShape(GenerateShape):
    """POST /v1beta/models/…:countTokens."""

    @property
    def whole(self) -> Json | None:
        return {"totalTokens": self.input}


SHAPES: dict[str, type[Shape]] = {
    "/chat/completions": ChatShape,
    "/responses": ResponsesShape,
    "/messages": MessagesShape,
    "/count_tokens": CountShape,
    ":streamGenerateContent": GenerateShape,
    ":generateContent": GenerateWholeShape,
    ":countTokens": GenerateCountShape,
}
