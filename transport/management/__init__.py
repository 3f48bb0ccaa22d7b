"""Commands of the transport."""
