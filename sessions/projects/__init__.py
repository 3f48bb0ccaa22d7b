"""Projects: folders that their owners work in, with the defaults of new chats."""
