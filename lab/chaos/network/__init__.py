"""The network of a run: one failing line from each device to the servers."""
