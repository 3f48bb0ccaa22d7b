"""The soak: half an hour of streams that come and go, in which nothing of the server may grow."""
