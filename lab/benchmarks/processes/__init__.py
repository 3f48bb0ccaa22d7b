"""The processes of a measurement: servers, publishers, subscribers."""
