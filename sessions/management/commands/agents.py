"""`manage.py agents`: the list of agents, and one turn with one of them in the terminal."""

from __future__ import annotations

import asyncio
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from sessions.agents import credentials, registry
from sessions.agents.port import (
    Agent,
    AgentError,
    AgentExited,
    LogInNeeded,
    Notice,
    PermissionAsked,
    PermissionOption,
    PlanUpdate,
    QuestionAsked,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolDone,
    TurnDone,
    Update,
    Usage,
)
from sessions.agents.processes import accounts, confine
from sessions.agents.trial import Tried
from sessions.core.errors import ChatError
from sessions.core.stop_signals import STOP_SIGNALS
from sessions.log_ins import needs
from sessions.runner.agent.offer import offered
from sessions.text.asking import Alarm, inset, lines_of_request, option_line
from sessions.text.flow import Flow
from sessions.text.visible import visible

PROMPT = "Say hello in one sentence."
CLOSE_GRACE_S = 2.0


class Command(BaseCommand):
    """List the agents, or try one."""

    help = "List the agents and why one cannot start; --try NAME runs one turn in the terminal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the agent to try, and the prompt."""
        parser.add_argument("--try", dest="name", metavar="NAME", help="run one turn with NAME")
        parser.add_argument("--prompt", default=PROMPT, help=f"what to ask (default: {PROMPT})")
        parser.add_argument("--cwd", default=".", help="the agent's folder (default: this one)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command."""
        self._flow = Flow(self._write)
        try:
            if options["name"] is None:
                self._list()
            else:
                folder = Path(options["cwd"]).resolve()
                self._attempt(options["name"], options["prompt"], folder)
        except (AgentError, ChatError) as exc:
            raise CommandError(visible(str(exc))) from exc

    def _list(self) -> None:
        specs, wanted = registry.available(), self._wanted()
        width = max(len(spec.name) for spec in specs)
        for spec in specs:
            state = "ready  " if spec.can_start else "missing"
            why = spec.description if spec.can_start else spec.why_not
            why += "" if spec.is_confined else " (not confined)"
            self.stdout.write(f"{spec.name:{width}}  {state}  {spec.label}: {why}")
            credential = f"Credential: {credentials.of(spec.name)}."
            for line in (credential, *wanted.get(spec.name, ())):
                self.stdout.write(f"{'':{width}}           {line}")
        self.stdout.write(confine.status().sentence)

    def _wanted(self) -> dict[str, list[str]]:
        """Return lines about the log-ins that agents want, by the names of the agents."""
        try:
            rows = list(needs.everywhere())
        except DatabaseError as exc:
            self.stderr.write(self.style.ERROR(f"The log-ins that agents want are unknown: {exc}"))
            return {}
        wanted: dict[str, list[str]] = {}
        for row in rows:
            ways = "; ".join(visible(way["name"]) for way in row.ways)
            since = f"since {row.since:%Y-%m-%d %H:%M} UTC, as {row.account}"
            line = f"Log-in needed {since}." + (f" It offers: {ways}." if ways else "")
            wanted.setdefault(row.agent, []).append(line)
        return wanted

    def _attempt(self, name: str, prompt: str, cwd: Path) -> None:
        """Run one turn; keep what it says about a log-in of the agent."""
        tried, self._at_prompt, self._last_number = Tried(""), False, 0
        try:
            asyncio.run(self._try(name, prompt, cwd))
        except LogInNeeded as exc:
            tried = Tried("", str(exc), exc.ways, at_prompt=self._at_prompt)
        except asyncio.CancelledError as exc:
            raise AgentError("Stopped by a signal.") from exc
        try:
            if registry.has_log_in(name):
                needs.note_trial(name, accounts.name_of(""), tried)
        except DatabaseError as exc:
            self.stderr.write(self.style.ERROR(f"The log-in could not be kept: {exc}"))
        if tried.log_in is not None:
            ways = "; ".join(way.name for way in tried.log_in)
            offered = f" It offers: {ways}." if ways else ""
            raise AgentError(f"Log-in needed. {tried.error}{offered}")

    async def _try(self, name: str, prompt: str, cwd: Path) -> None:
        _end_by_signals()
        agent = registry.create(name, cwd=cwd)
        started = await agent.start(
            cwd=cwd,
            env=registry.environment(name, session_id="try", cwd=cwd),
            resume=None,
            mode=None,
        )
        modes = ", ".join(mode.id for mode in started.modes)
        self._note(f"{name} started" + (f", mode {started.mode} of {modes}" if modes else ""))
        try:
            await agent.send(prompt)
            async for update in agent.events():
                if await self._show(agent, update):
                    break
        finally:
            await agent.close(grace_s=CLOSE_GRACE_S)

    async def _show(self, agent: Agent, update: Update) -> bool:
        """Print an update; return whether the turn has ended. Raises AgentError for a bad end."""
        match update:
            case TextDelta(text):
                self._flow.add(text)
            case PermissionAsked():
                await agent.answer(update.perm_id, await asyncio.to_thread(self._ask, update))
            case QuestionAsked(question_id, title):
                self._note(f"question, cancelled: {title}")
                await agent.reply(question_id, "cancel", {})
            case TurnDone(stop_reason, error, log_in=ways):
                self._flow.end()
                self._note(f"turn ended: {stop_reason}")
                if ways is not None:
                    self._at_prompt = True
                    raise LogInNeeded(error or "", ways)
                if error:
                    raise AgentError(error)
                return True
            case AgentExited(_, error):
                raise AgentError(error or "The agent ended.")
            case _:
                self._note(_line(update))
        return False

    def _ask(self, asked: PermissionAsked) -> str | None:
        """Let the person at the terminal choose; without one the request is cancelled.

        No number is given twice: a line that was typed too early answers no later request.
        """
        self._flow.end()
        for line in lines_of_request(
            tool=asked.tool_name, kind=asked.tool_kind, title=asked.title, details=asked.input
        ):
            self.stdout.write(line, self.style.ERROR if isinstance(line, Alarm) else None)
        if not sys.stdin.isatty():
            return None
        options, first = offered(asked), self._last_number + 1
        for number, option in enumerate(options, start=first):
            line = option_line({"kind": option.kind, "label": option.label})
            self.stdout.write(f"  {number}  {line}")
        self._last_number += len(options)
        self.stdout.write("number, or nothing to cancel: ", ending="")
        self.stdout.flush()
        chosen = _chosen(options, sys.stdin.readline().strip(), first=first)
        return chosen if chosen in {option.id for option in asked.options} else None

    def _write(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()

    def _note(self, text: str) -> None:
        self._flow.end()
        if text:
            self.stderr.write(self.style.NOTICE(f"[{inset(text)}]"))


def _end_by_signals() -> None:
    """Cancel the running task at a signal, so that its agent ends; a second one ends the program.

    Ctrl+C does so by itself. SIGHUP stays ignored in a process that was started with nohup.
    """
    loop, running = asyncio.get_running_loop(), asyncio.current_task()

    def end(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        if running is not None:
            running.cancel()

    for number in set(STOP_SIGNALS) - {signal.SIGINT}:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)


def _chosen(options: tuple[PermissionOption, ...], answer: str, *, first: int) -> str | None:
    numbers = {str(number): option.id for number, option in enumerate(options, start=first)}
    return numbers.get(answer)


def _line(update: Update) -> str:
    line = ""
    match update:
        case ThinkingDelta(text):
            line = f"thinking: {text.strip()}"
        case ToolCall(title=title) if title:
            line = f"tool: {title}"
        case ToolDone(status=status, content=content):
            line = f"tool {status}: {content.strip()}"
        case PlanUpdate(entries):
            line = "plan: " + "; ".join(f"{entry.text} ({entry.status})" for entry in entries)
        case Usage(read, written):
            line = f"usage: {read} {'token' if read == 1 else 'tokens'} in, {written} out"
        case Notice(text=text):
            line = text
    return line
