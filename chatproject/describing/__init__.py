"""The description of the API: its schemas, and an example for each operation."""
