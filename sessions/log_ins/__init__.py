"""The log-ins that agents want before they answer: kept for each system user, told, settled."""
