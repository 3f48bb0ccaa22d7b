"""Changes of a chat's folder, since the chat began or against git's HEAD."""
