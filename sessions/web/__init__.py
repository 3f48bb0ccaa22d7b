"""HTTP: pages, the reading API, health and metrics."""
