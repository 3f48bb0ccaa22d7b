"""Log-ins of agents: the ways that an agent offers, and a terminal for the one that is chosen."""
