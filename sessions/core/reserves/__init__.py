"""Descriptors, memory and threads, kept for the moment in which there are no others."""
