"""Runs a command with TEST_DATABASE_URL set to a PostgreSQL server of its own."""

import os
import subprocess
import sys

from lab.rig.programs.services import postgres


def main(command: list[str]) -> int:
    """Run command, return its exit code."""
    with postgres() as server:
        environment = os.environ | {"TEST_DATABASE_URL": server.create_database()}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
