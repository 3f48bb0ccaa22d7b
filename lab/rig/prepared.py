"""Django set up and the project's modules imported, in the process that test servers fork from.

    prepare()   # there, once: with settings of no server in particular
    renew()     # in each fork: with the settings that its own environment names

Nothing is used before the fork: no connection is open, no thread or event loop runs, and no module
keeps a setting that it has read. A test holds a fork beside a process from a shell.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import django
from django.apps import apps
from django.conf import Settings, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import connections
from django.utils.functional import empty

SETTINGS: Final = "chatproject.settings"
_APPS: Final = ("sessions", "transport")
# Programs of their own, which are run and not imported.
_PROGRAMS: Final = "sessions.agents.programs"
# The content of static files depends on no setting, and to bundle and compress it takes long.
_ASSETS: Final = "chatproject.assets.files"
_KEPT: Final = (_ASSETS, "chatproject.assets.bundle", "chatproject.assets.minify")
# Importing it starts an event loop.
_REACTOR: Final = "twisted.internet.reactor"


def prepare() -> None:
    """Set Django up and import every module of the apps."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": SETTINGS, "DATA_DIR": folder}
        django.setup()
        # The receivers by which Django, too, follows settings that change.
        importlib.import_module("django.test.signals")
        for name in _modules():
            importlib.import_module(name)
        _pack()
    if _REACTOR in sys.modules:
        raise RuntimeError(f"a module of the apps imports {_REACTOR}")
    if threading.active_count() > 1:
        raise RuntimeError(f"a module of the apps starts threads: {threading.enumerate()}")
    # A collection in a fork would write to all memory that it shares with this process.
    gc.collect()
    gc.freeze()


def renew() -> None:
    """Read the settings again, from this process's environment, and drop what hangs on others.

    Settings that are wrong are left to the program, which tells a person.
    """
    lazy: Any = settings
    prepared = lazy._wrapped  # noqa: SLF001 (there is no public way to read them again)
    for name in [name for name in sys.modules if name.partition(".")[0] == "chatproject"]:
        if name not in _KEPT:
            del sys.modules[name]
    lazy._wrapped = empty  # noqa: SLF001
    named = os.environ.get("DJANGO_SETTINGS_MODULE")
    if named is None:
        return
    if named != SETTINGS:
        raise RuntimeError(f"a process with the settings {named} starts cold")
    try:
        own = Settings(named)
    except ImproperlyConfigured:
        return
    lazy._wrapped = own  # noqa: SLF001
    _renew(connections)
    for name in _differing(prepared, own):
        setting_changed.send(sender=Settings, setting=name, value=getattr(own, name), enter=True)
    # It connects to a proxy that the settings name.
    apps.get_app_config("transport").ready()


def _pack() -> None:
    """Bundle and compress the files of the chat page."""
    files = importlib.import_module(_ASSETS)
    files.version()
    for name in (files.SCRIPT, files.LATER, *files.SHEETS):
        files.assets().packed(name, "br")


def _renew(handler: Any) -> None:
    """Drop what Django knows of databases, which follows no signal.

    Models have asked for the maximal length of a name, for which Django has made a connection that
    is not open.
    """
    for alias in handler:
        with suppress(AttributeError):
            del handler[alias]
    handler._settings = handler.settings = handler.configure_settings(None)  # noqa: SLF001


def _differing(one: Any, other: Any) -> list[str]:
    """Return the names of settings that differ, but for the one without a receiver."""
    names = {name for name in (*dir(one), *dir(other)) if name.isupper()} - {"DATABASES"}
    absent = object()
    return sorted(
        name for name in names if getattr(one, name, absent) != getattr(other, name, absent)
    )


def _modules() -> Iterator[str]:
    for app in _APPS:
        path = importlib.import_module(app).__path__
        for found in pkgutil.walk_packages(path, f"{app}."):
            if not found.name.startswith(_PROGRAMS) and not found.name.endswith("__main__"):
                yield found.name
