"""Clones of git repositories into allowed folders: with progress, bounds and a cancel."""
