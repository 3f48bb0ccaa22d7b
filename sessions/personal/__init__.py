"""The things of a chat that are one person's alone: draft, read mark, pin. Never in the log."""
