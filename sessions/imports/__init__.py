"""Chats that began outside of Backstay: who may take one over, its session, its terminal."""
