"""Translation of an agent's messages into the port's typed updates."""
