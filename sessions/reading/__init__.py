"""Reads for people and programs: lists, pages, search, export."""
