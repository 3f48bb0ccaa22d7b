"""Runs one command confined, as a user without any rights: `python -m … FOLDER KIND COMMAND`.

A program of its own, because a test that is root can become another user only for good.
"""

import os
import subprocess
import sys
from pathlib import Path

import django


def main() -> int:
    folder, kind, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ["DATA_DIR"] = str(folder / "data")
    django.setup()
    from sessions.agents.processes import confine, environment, tree

    if kind == "bubblewrap":
        confine.landlock.version = lambda: 0
    held = confine.status()
    if held.kind != kind or not held.view:
        print(f"there is no {kind} with a view here: {held}")
        return 1
    cwd = folder / "data/workspaces/own"
    cwd.mkdir(parents=True, exist_ok=True)
    env = environment.build(fixed={tree.SESSION: "own", "HOME": str(folder / "home")})
    launch = confine.Confinement().prepare(["bash", "-c", command], cwd=cwd, env=env)
    return subprocess.run(
        launch.command,
        env=launch.env,
        cwd=cwd,
        pass_fds=launch.descriptors,
        timeout=60,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
