"""The reactor, without its types: Twisted names its widest interface."""

from typing import Any

from twisted.internet import reactor as installed

# The asyncio reactor that daphne installs.
reactor: Any = installed
