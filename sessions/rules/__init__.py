"""Rules of a person that answer permission requests: allow, ask or deny."""
