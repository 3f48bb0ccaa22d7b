"""The routes that find: messages by their words."""
