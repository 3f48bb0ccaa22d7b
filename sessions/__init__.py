"""Sessions: conversations with agents, kept in one append-only event log each."""
