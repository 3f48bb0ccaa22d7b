"""The folder of a chat: its files, and their changes."""
