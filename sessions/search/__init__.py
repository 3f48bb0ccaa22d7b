"""Full-text search of messages, by the engine of the database, behind one port."""
