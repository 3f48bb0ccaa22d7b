"""The settings of the test process: the real ones over a data folder of its own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# A developer's environment and ./data must not leak in. Tests that start a real server give
# it chatproject.settings and an environment of its own.
for _name in [*os.environ]:
    if _name.startswith("CHAT_") or _name in {"DATABASE_URL", "REDIS_URL", "DEBUG", "HOST", "PORT"}:
        del os.environ[_name]
# Set by tests.support.with_postgres, which runs the same tests over PostgreSQL.
_database_url = os.environ.get("TEST_DATABASE_URL", "")
if _database_url:
    os.environ["DATABASE_URL"] = _database_url
_data_dir = tempfile.mkdtemp(prefix="backstay-test-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
os.environ["DATA_DIR"] = _data_dir
os.environ["SECRET_KEY"] = "only-for-tests-" + "x" * 40

from chatproject.settings import *  # noqa: E402, F403 (the environment comes first)
from chatproject.settings import DATABASES, INSTALLED_APPS  # noqa: E402

if _database_url:
    # A pool keeps connections after their threads have closed them, and a database that somebody
    # is connected to cannot be dropped. Servers that tests start do use it.
    DATABASES["default"]["OPTIONS"].pop("pool")
else:
    # A file: threads and processes of a test share it, and locks are real. It lies in memory where
    # there is room: like the tests' own PostgreSQL, it waits for no disk.
    _memory = Path("/dev/shm")
    _has_room = _memory.is_dir() and shutil.disk_usage(_memory).free > 2**30
    _database_dir = tempfile.mkdtemp(prefix="backstay-test-", dir=_memory if _has_room else None)
    atexit.register(shutil.rmtree, _database_dir, ignore_errors=True)
    DATABASES["default"].setdefault("TEST", {})["NAME"] = f"{_database_dir}/test.sqlite3"
# The real hashers take 0.2 s per log-in on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The last app that has a command is asked for it.
INSTALLED_APPS += ["tests.support.quick_flush"]
