"""The ways to bring each agent to show its work, and the things that it has no way to."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.agents.contract import Way
from tests.agents.endpoint import calling
from tests.agents.mcp_tools import PIXEL
from tests.agents.shapes import SCRIPT

Json = dict[str, Any]

TEXT = "one\ntwo\n"
PLAN = "# Plan\n\n1. one\n"
CHOICES = [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]
ASK = {"question": "Which colour?", "header": "Colour", "options": CHOICES}
ASKED = {"questions": [ASK | {"multiSelect": False}]}
LATER = {"command": "sleep 1; echo done", "description": "wait"}
CHILD = {"description": "look", "subagent_type": "general-purpose"}


def call(name: str, arguments: Json, **fields: Any) -> Way:
    return Way(lambda _folder: calling((name, arguments)), **fields)


def call_with(name: str, key: str, file: str, arguments: Json | None = None, **fields: Any) -> Way:
    """Call a tool with the path of a file in the folder."""
    return Way(
        lambda folder: calling((name, {key: str(folder / file), **(arguments or {})})), **fields
    )


def tool(name: str) -> Way:
    """Call a tool of the tests' MCP server."""
    return call(name, {}, needs_servers=True)


def words(prompt: str, **fields: Any) -> Way:
    return Way(lambda _folder: prompt, **fields)


def picture(folder: Path) -> None:
    (folder / "a.png").write_bytes(base64.b64decode(PIXEL))


def reading(name: str, key: str) -> Way:
    return call_with(name, key, "a.png", prepare=picture)


PATCH = f"*** Begin Patch\n*** Add File: made.txt\n+{TEXT.replace(chr(10), chr(10) + '+')[:-1]}"
PATCH_CALL = f"apply_patch <<'EOF'\n{PATCH}*** End Patch\nEOF\n"
PROPOSED = base64.b64encode(f"<proposed_plan>\n{PLAN}</proposed_plan>".encode()).decode()
IN_PLAN = (("collaboration_mode", "plan"),)


def _claude(subagent: str) -> dict[str, Way]:
    step = calling(("Bash", {"command": "echo sub", "description": "a step"}))
    return {
        "diff": call_with("Write", "file_path", "made.txt", {"content": TEXT}, mode="default"),
        "image": reading("Read", "file_path"),
        "resource": tool("mcp__shown__page"),
        "question": call("AskUserQuestion", ASKED),
        "plan": call("ExitPlanMode", {"plan": PLAN}, mode="plan"),
        "subagent": call(subagent, CHILD | {"prompt": step}),
        "own turn": call("Bash", LATER | {"run_in_background": True}),
    }


WAYS: dict[str, dict[str, Way]] = {
    "demo": {
        "diff": words("/edit one"),
        "image": words("/picture"),
        "question": words("/ask"),
        "subagent": words("/subagent"),
        "own turn": words("/background"),
    },
    "claude": _claude("Agent"),
    "claude-sdk": _claude("Task"),
    "codex": {
        "diff": call("exec_command", {"cmd": PATCH_CALL}, mode="read-only"),
        "image": reading("view_image", "path"),
        "resource": tool("mcp__shown.page"),
        "question": call(
            "request_user_input", {"questions": [ASK | {"id": "colour"}]}, options=IN_PLAN
        ),
        "plan": words(f"{SCRIPT}text {PROPOSED}", options=IN_PLAN),
        "subagent": call("multi_agent_v1.spawn_agent", {"message": f"{SCRIPT}say 2"}),
        "own turn": words("/goal make it"),
    },
    "opencode": {
        "diff": call_with("write", "filePath", "made.txt", {"content": TEXT}),
        "image": reading("read", "filePath"),
        "resource": tool("shown_page"),
        "question": tool("shown_form"),
        "subagent": call("task", CHILD | {"prompt": f"{SCRIPT}say 2", "subagent_type": "general"}),
    },
    "gemini": {
        "diff": call_with("write_file", "file_path", "made.txt", {"content": TEXT}),
        "image": reading("read_file", "file_path"),
        "subagent": call("invoke_agent", {"agent_name": "generalist", "prompt": f"{SCRIPT}say 2"}),
        "own turn": call("run_shell_command", LATER | {"is_background": True}),
    },
    "qwen": {
        "diff": call_with("write_file", "file_path", "made.txt", {"content": TEXT}, mode="default"),
        "image": tool("mcp__shown__picture"),
        "resource": tool("mcp__shown__page"),
        "question": call("ask_user_question", ASKED),
        "plan": call("exit_plan_mode", {"plan": PLAN}, mode="plan"),
        "subagent": call(
            "agent",
            CHILD
            | {
                "prompt": calling(("read_file", {"file_path": "/etc/hostname"})),
                "run_in_background": False,
            },
        ),
        "own turn": call("run_shell_command", LATER | {"is_background": True}),
    },
}
NO_PART = "Backstay's own program for a model sends nothing but text"
OF_A_MODEL: dict[str, str] = {
    **dict.fromkeys(("diff", "image", "resource", "question", "plan"), NO_PART),
    **dict.fromkeys(("options", "commands", "subagent", "own turn"), NO_PART),
    "list": "its conversations are the chats of this server",
    "load": "its conversations are the chats of this server",
}
NOT_OFFERED: dict[str, dict[str, str]] = {
    "demo": {
        "resource": "its commands make no file of another place",
        "plan": "it plans nothing that could be approved",
        "list": "its conversations are the chats of this server",
        "load": "its conversations are the chats of this server",
    },
    "local": OF_A_MODEL,
    "openai": OF_A_MODEL,
    "openai-local": OF_A_MODEL,
    "claude": {
        "resource": "a file of an MCP server becomes text",
        "growing output": "a command's output comes at its end",
    },
    "claude-sdk": {
        "resource": "a file of an MCP server becomes text",
        "growing output": "a command's output comes at its end",
        "options": "its client offers no settings beside modes",
        "commands": "its client offers no commands",
        "list": "its client lists no chats; the CLI's files of them are read instead",
        "load": "its client tells no chats; the CLI's files of them are read instead",
    },
    "codex": {
        "image": "an image that it has looked at is named as a file",
        "subagent": "the work of a subagent is not told",
    },
    "opencode": {
        "resource": "a file of an MCP server becomes text",
        "question": "its question tool is off, and it passes none of an MCP server on",
        "plan": "it asks for no approval of a plan",
        "subagent": "the work of a subagent is not told",
        "own turn": "it has no work in the background",
    },
    "gemini": {
        "image": "an image that it has read is told as a text",
        "resource": "in a folder that is not trusted it takes no MCP servers",
        "question": "it offers its model no tool for questions over ACP",
        "plan": "a plan is a file that its model writes; the request names the file alone",
        "options": "it offers modes alone",
        "subagent": "its policy denies subagents in a folder that is not trusted",
        "own turn": "nothing more is told of a command that was sent to the background",
        "growing output": "a command's output is never told",
        "list": "it lists no chats",
    },
    "qwen": {
        "image": "an image of a tool becomes text",
        "question": "a question is a permission request whose answer has no place for values",
        "resource": "a file of an MCP server becomes text",
        "growing output": "a command's output comes at its end",
    },
}
