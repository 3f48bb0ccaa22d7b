"""Access: log-ins, tokens, links and the limits on guessing."""
