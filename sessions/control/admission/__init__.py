"""Admitting prompts: the prompt as it was sent, its standing, and commits that prompts share."""
