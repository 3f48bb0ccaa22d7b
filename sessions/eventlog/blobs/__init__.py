"""Bytes that events name by their SHA-256: files below DATA_DIR, rows that tell who reads them."""
