"""Coding agents behind one port: real processes, typed updates, no model and no database."""
