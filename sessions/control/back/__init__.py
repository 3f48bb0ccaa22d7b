"""Going back: files restored, messages taken back, a chat continued elsewhere."""
