"""Cost over size: the same reads on logs, lists and chats that grow; curves and query plans."""
