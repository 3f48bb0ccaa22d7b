"""Kept states of a folder: taken before each prompt, and restored when a person goes back."""
