"""The MCP servers of persons: stored with sealed secrets, tested, given to agents."""
