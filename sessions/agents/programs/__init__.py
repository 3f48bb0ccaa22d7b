"""The agents of this project: programs of their own that speak ACP over stdin and stdout."""
