"""The laboratory: real servers, to break or to measure. No app knows it."""
