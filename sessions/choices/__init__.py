"""The settings of agents that persons chose, for a chat and for the next ones."""
