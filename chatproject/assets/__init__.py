"""The static files of the page: one address per version, bundled and compressed."""
