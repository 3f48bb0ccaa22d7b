"""The page in a real Chromium: its loads over slow lines, and a chat of many messages."""
