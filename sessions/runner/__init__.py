"""The runner: claims sessions and drives their agents."""
