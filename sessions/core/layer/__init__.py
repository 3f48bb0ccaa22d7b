"""The Channels layer: hints between processes, from a place where any program may write."""
