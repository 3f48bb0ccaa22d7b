"""The static files for the test clients of a process: looked up once."""

from typing import Any

from chatproject.assets.middleware import AssetsMiddleware

_found: dict[Any, tuple[Any, Any]] = {}


class SharedAssetsMiddleware(AssetsMiddleware):
    """AssetsMiddleware with the files of the first one that had the same settings."""

    def add_files_from_finders(self) -> None:
        """Look the files up, or take those of before."""
        settings = (self.static_prefix, self.max_age, self.autorefresh, self.charset)
        if settings not in _found:
            super().add_files_from_finders()
            _found[settings] = (dict(self.files), list(self.directories))
        files, directories = _found[settings]
        self.files = dict(files)
        self.directories = list(directories)
