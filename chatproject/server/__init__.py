"""The server: daphne with bounds on requests, flow control, and a stop that says goodbye."""
