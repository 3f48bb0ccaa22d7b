"""The chats that an ACP agent knows: listed, and told once more by the agent itself."""
