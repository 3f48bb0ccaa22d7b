"""A live session's agent: its start and its end, its mode, its open permission requests."""
