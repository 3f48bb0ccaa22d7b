"""Reading within bounds in bytes: weights of rows, cut texts, pages, the answer in flight."""
