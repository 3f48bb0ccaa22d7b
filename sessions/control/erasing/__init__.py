"""The end of a session: all of it is deleted, by its owner."""
