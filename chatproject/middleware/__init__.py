"""Middleware of the site, and Django's own on the event loop."""
