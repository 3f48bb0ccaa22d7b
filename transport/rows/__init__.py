"""Rows of connections and watches: leases that every process can read."""
