"""The ground of every app: settings, errors, states, the database; knows no session."""
