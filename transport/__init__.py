"""Transport: carries the event log to every client, over any connection."""
