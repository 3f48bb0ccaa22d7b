"""Extensions of the Markdown parser: each adds a notation that agents write."""
