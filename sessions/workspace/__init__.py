"""Folders in which agents work."""
