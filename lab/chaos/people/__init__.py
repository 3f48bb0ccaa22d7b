"""The people of a run: each with a device of their own, and a record of all that it showed."""
