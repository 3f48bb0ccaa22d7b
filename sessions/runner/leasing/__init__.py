"""Leases: sessions are claimed in fair turns, renewed, and recovered from dead runners."""
