"""The tests, by what they touch: nothing, the database, a real server, a browser, an agent."""
