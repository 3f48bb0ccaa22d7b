"""Choices about a chat, in a terminal: agent, mode, the agent's options, the waiting time."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import one_line
from transport.terminal.acts.numbered import number_of
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:agents         list the agents    :mode NAME      change the mode; :mode lists them
:options        list the agent's options           :option NAME VALUE   change one
:commands       list the agent's own commands, which begin with a slash
:wait SECONDS   change how long requests wait for you; 0: until answered, project: its own time
"""
_YES: Final = frozenset({"on", "yes", "true"})
_NO: Final = frozenset({"off", "no", "false"})


class Choosing:
    """The settings of the session that is open, read when they are asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":agents": self._agents,
            ":mode": self._mode,
            ":options": self._options,
            ":option": self._option,
            ":commands": self._commands,
            ":wait": self._wait,
        }

    async def _agents(self, _rest: str) -> None:
        page = await self._desk.read_page("/api/agents", "agents")
        for agent in page["agents"] if page else ():
            why_not = "" if agent["canStart"] else f" (! {one_line(agent['whyNot'] or '')})"
            self._desk.say(f"{one_line(agent['name'])}: {one_line(agent['label'])}{why_not}")

    async def _mode(self, rest: str) -> None:
        if rest.strip():
            await self._desk.command("mode", mode=rest.strip())
            return
        shot = await self._desk.read("/snapshot", "modes")
        for mode in shot["modes"] if shot else ():
            mark = "*" if shot and mode["id"] == shot["mode"] else " "
            self._desk.say(f"{mark} {one_line(mode['id'])}: {one_line(mode['label'])}")

    async def _options(self, _rest: str) -> None:
        for option in await self._offered() or ():
            value = {True: "on", False: "off"}.get(option["value"], option["value"])
            self._desk.say(
                f"{one_line(option['id'])} = {one_line(str(value))}   {one_line(option['label'])}"
            )
            for choice in option["choices"]:
                group = f" ({one_line(choice['group'])})" if choice.get("group") else ""
                self._desk.say(f"    {one_line(choice['id'])}: {one_line(choice['label'])}{group}")

    async def _offered(self) -> list[dict[str, Any]] | None:
        shot = await self._desk.read("/snapshot", "options")
        if shot is not None and not shot["options"]:
            self._desk.say("The agent offers no options, or has not started yet.")
        return shot["options"] if shot else None

    async def _option(self, rest: str) -> None:
        name, _, text = rest.strip().partition(" ")
        offered = await self._offered()
        if not offered:
            return
        kinds = {option["id"]: option["kind"] for option in offered}
        word = text.strip()
        is_boolean = kinds.get(name) == "boolean"
        if is_boolean and word.lower() not in _YES | _NO:
            self._desk.say("This option is on or off.")
            return
        value = word.lower() in _YES if is_boolean else word
        await self._desk.command("option", optionId=name, value=value)

    async def _commands(self, _rest: str) -> None:
        shot = await self._desk.read("/snapshot", "commands")
        for each in shot["commands"] if shot else ():
            hint = f" {one_line(each['hint'])}" if each["hint"] else ""
            self._desk.say(f"/{one_line(each['name'])}{hint}: {one_line(each['description'])}")
        if shot is not None and not shot["commands"]:
            self._desk.say("The agent has told no commands.")

    async def _wait(self, rest: str) -> None:
        seconds = number_of(rest)
        if seconds is None and rest.strip() != "project":
            self._desk.say("Name seconds, 0 or project, as :wait 3600")
        elif (session_id := self._desk.opened()) is not None:
            path = f"/api/sessions/{session_id}"
            self._desk.failed(await self._desk.client.patch(path, waitSeconds=seconds))
