"""The plain feed of one session, for third parties."""
