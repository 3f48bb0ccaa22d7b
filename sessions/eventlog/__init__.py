"""The event log: the only truth, its readers and its writer."""
