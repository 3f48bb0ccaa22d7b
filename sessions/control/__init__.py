"""Changes of a session, each one transaction."""
