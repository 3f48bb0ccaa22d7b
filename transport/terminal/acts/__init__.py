"""The commands of a person at a terminal, one kind a module."""
