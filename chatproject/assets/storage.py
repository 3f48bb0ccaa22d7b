"""The addresses of static files: each names the version of all of them."""

from __future__ import annotations

from django.contrib.staticfiles.storage import StaticFilesStorage

from chatproject.assets import files


class VersionedStorage(StaticFilesStorage):
    """Django's storage, whose addresses change with any file.

    Modules and style sheets name others by relative addresses, so these stay within one version.
    """

    def url(self, name: str | None) -> str:
        """Return the address of a file."""
        version = files.version()
        return super().url(f"{version}/{name}" if version and name else name)
