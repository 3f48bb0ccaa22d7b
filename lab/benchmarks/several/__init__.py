"""Several processes: web processes, runners, PostgreSQL and Redis as an installation has them."""
