"""The routes for agents and for their tools."""
