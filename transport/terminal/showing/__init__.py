"""A session as a terminal shows it: frames become lines, drawn for its window."""
