"""Streams of one process: fan-out, catch-up, and the life of each stream."""
