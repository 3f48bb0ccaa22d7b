"""The worktree of a chat: wanted with its first prompt, made before the agent starts, then ended.

Each step is stored before the next one, so that a kill leaves nothing in the way.
"""
