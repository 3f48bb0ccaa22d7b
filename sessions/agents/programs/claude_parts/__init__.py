"""The parts of the Claude agent: its messages, its requests, its questions."""
