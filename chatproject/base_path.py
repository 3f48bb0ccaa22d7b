"""The path that every address of the site begins with, where a proxy serves it below one."""

from __future__ import annotations

from typing import Any

from django.conf import settings


def with_base_path(scope: dict[str, Any]) -> dict[str, Any]:
    """Return a request's scope with its whole path, and BASE_PATH as root_path.

    A proxy may pass the whole path on or leave BASE_PATH out. A client's own root_path is dropped.
    """
    base = settings.BASE_PATH
    local = without_base(scope["path"])
    return {**scope, "path": f"{base}{local}", "root_path": base}


def local_path(scope: Any) -> str:
    """Return the path of a request as the routes know it, from a scope with its base path."""
    return without_base(scope["path"])


def without_base(path: str) -> str:
    """Return a path as the routes know it."""
    base = settings.BASE_PATH
    if path == base:
        return "/"
    return path.removeprefix(base) if path.startswith(f"{base}/") else path
