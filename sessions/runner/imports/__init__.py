"""Chats that began outside of Backstay: listed by their agents, and continued in a session."""
