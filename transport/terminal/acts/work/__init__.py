"""The folder of a chat, at a terminal: its project, its files, its changes, files for a prompt."""
