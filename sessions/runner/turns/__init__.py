"""Turns: one prompt on its way through the agent, and its stop."""
