"""Processes of agents: their environment, their groups, their descendants."""
