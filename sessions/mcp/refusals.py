"""Refusals about MCP servers."""

from __future__ import annotations

from sessions.core.errors import ChatError


class UnknownServer(ChatError):
    code = "unknown_server"
    status = 404
    sentence = "There is no such MCP server."


class TooManyServers(ChatError):
    code = "too_many_servers"
    status = 409
    sentence = "You have too many MCP servers: remove some first."


class CommandsForStaff(ChatError):
    code = "commands_for_staff"
    status = 403
    sentence = "An MCP server that is a command runs on this server: staff alone may add one."


class ServerFailed(ChatError):
    code = "server_failed"
    status = 400
    sentence = "The MCP server did not answer."
