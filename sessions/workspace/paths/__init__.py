"""Paths of a chat's folder: listed, found by a few letters, named in a prompt."""
