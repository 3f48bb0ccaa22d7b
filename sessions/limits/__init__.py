"""Shares of the server's work: rates, and things at once, for each user and each address."""
