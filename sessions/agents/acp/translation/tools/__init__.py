"""The tool calls of an agent: their state, their output, the action that a person approves."""
