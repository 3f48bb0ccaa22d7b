"""Chats of an agent that began outside of Backstay: found in its own files, read, in use or not."""
