"""Git worktrees: made in the own folder of a chat, merged or removed at its end."""
