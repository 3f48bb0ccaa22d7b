"""The loads: each measures one contender once, and returns its values by name."""
