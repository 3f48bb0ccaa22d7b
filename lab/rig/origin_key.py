"""The origin key of the log-ins that the rig makes, for browsers and HTTP clients."""

from __future__ import annotations

from typing import Final

KEY: Final = "0123456789abcdef0123456789abcdef-rig"
HEADERS: Final = {"X-Origin-Key": KEY}
# For a browser's context: a page finds the key in its storage, as after a log-in.
SCRIPT: Final = f"""
try {{ localStorage["backstay.keys"] ??= JSON.stringify(["{KEY}"]); }} catch {{}}
"""
