"""One log-in of a browser: its two steps, its last proof, its row in the owner's list."""
