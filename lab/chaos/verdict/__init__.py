"""The verdict: the records of a run held against its log."""
