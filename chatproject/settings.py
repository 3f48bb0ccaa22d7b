"""Settings, read from the environment here alone. See docs/reference/settings.md."""

import socket
import sys
from pathlib import Path
from typing import Any

import dj_database_url

from chatproject.env import Env, installation_mark, read_or_create_key
from sessions.core import addresses

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "data"))).expanduser().absolute()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY") or read_or_create_key(DATA_DIR / "secret_key")

# Where `manage.py serve` listens. Loopback unless told otherwise: agents run commands here.
HOST = addresses.bare(env.text("HOST", "127.0.0.1"))
PORT = env.number("PORT", 8000, high=65535)

# Limits of the chat, raw; sessions.core.conf gives them types and defaults.
CHAT: dict[str, str] = env.with_prefix("CHAT_")

# Where a proxy serves the site below a path of its host.
BASE_PATH = env.path("BASE_PATH")
FORCE_SCRIPT_NAME = BASE_PATH or None

# --- Hosts and origins --------------------------------------------------------------------------

_own_name = socket.gethostname() if addresses.is_wildcard(HOST) else HOST
ALLOWED_HOSTS = addresses.names_in_requests(
    env.names("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "::1", _own_name]
)
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")

# JSON may write one byte of a prompt as six (\\u0041); the rest of a command is small.
PROMPT_BODY_BYTES = max(2_621_440, 6 * env.number("CHAT_MAX_PROMPT_BYTES", 262_144, low=1) + 65_536)
# chatproject.bodies has the bound of each route; an upload has the highest.
DATA_UPLOAD_MAX_MEMORY_SIZE = max(
    PROMPT_BODY_BYTES, env.number("CHAT_UPLOAD_MB", 10, low=1) * 1024 * 1024
)
# Bodies stay in memory: a full disk must not stand in the way of a stop.
FILE_UPLOAD_MAX_MEMORY_SIZE = DATA_UPLOAD_MAX_MEMORY_SIZE

# --- Applications -------------------------------------------------------------------------------

INSTALLED_APPS = [
    "sessions.apps.AdminOfAccounts",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "servestatic",
    "django_eventstream",
    "ninja",  # its API page comes from our own server, not from a CDN
    "sessions.apps.SessionsConfig",
    "transport.apps.TransportConfig",
    "lab",  # for its command alone, which breaks servers of its own
]

# chatproject.headers adds the security headers, around Django and the streams alike.
# All of them are async-capable: one that is not would hold a thread for every open request.
MIDDLEWARE = [
    "chatproject.middleware.site.UserIdMiddleware",
    "chatproject.middleware.site.JsonErrorsMiddleware",
    "chatproject.assets.compression.CompressionMiddleware",
    "chatproject.middleware.site.BodySizeMiddleware",
    "chatproject.middleware.site.HostMiddleware",  # before all that answers, static files too
    "chatproject.assets.middleware.AssetsMiddleware",
    "chatproject.middleware.on_loop.OnLoopSessionMiddleware",
    "chatproject.middleware.on_loop.OnLoopCsrfMiddleware",
    "chatproject.middleware.on_loop.OnLoopAuthenticationMiddleware",
    "chatproject.middleware.on_loop.OnLoopMessageMiddleware",
    "sessions.access.acts.admin_acts.AdminActsMiddleware",
]

ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
SERVER_CLASS = "chatproject.server.server.Server"  # the server of `manage.py serve`
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'backstay.sqlite3'}")
_database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))

if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Opening the file and its pragmas costs more than most of our queries: keep it open.
    _database["CONN_MAX_AGE"] = None
    _database["OPTIONS"] = {
        # Takes the write lock at BEGIN. A deferred transaction that reads and then writes fails
        # at once with "database is locked" when another writer came between: no timeout helps.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # WAL: readers never wait for the writer. FULL: a commit waits for the disk, so that no
        # power cut takes back a prompt that has its receipt, or an event that a client has seen.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-1000;"
        ),
        **_database.get("OPTIONS", {}),
    }
else:
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = {
        "connect_timeout": 10,
        "application_name": "backstay",
        # A process that stops in the middle of a transaction must not keep a session's row lock.
        "options": "-c idle_in_transaction_session_timeout=60000",
        # Bounded: PostgreSQL allows 100 clients by default, over all processes.
        "pool": {
            "min_size": 1,
            "max_size": env.number("DATABASE_POOL_SIZE", 8, low=1),
            "timeout": 15,
        },
        **_database.get("OPTIONS", {}),
    }

DATABASES = {"default": _database}

# --- Wakes between processes --------------------------------------------------------------------

# Only hints travel here. Without Redis, processes find moved heads by their tail of the database.
REDIS_URL = env.text("REDIS_URL")
# A key of its own: a program that reads the database or the log-ins' key cannot write here.
LAYER_KEY = env.text("LAYER_KEY")
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
if REDIS_URL:
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "chatproject.layer.Layer",
        "CONFIG": {
            "hosts": [REDIS_URL],
            "prefix": "backstay",
            "symmetric_encryption_keys": [LAYER_KEY or read_or_create_key(DATA_DIR / "layer_key")],
        },
    }

# --- The plain feed -----------------------------------------------------------------------------

EVENTSTREAM_STORAGE_CLASS = "transport.feed.eventstream.LogStorage"
EVENTSTREAM_CHANNELMANAGER_CLASS = "transport.feed.eventstream.SessionChannels"
# A GRIP proxy (Pushpin) that holds readers of /events/ instead of this process.
GRIP_URL = env.text("GRIP_URL")
if GRIP_URL:
    MIDDLEWARE.append("django_grip.GripMiddleware")

# --- Static files -------------------------------------------------------------------------------

STATIC_URL = f"{BASE_PATH}/static/"
# Served straight from the apps: nothing to collect, so nothing that an upgrade can forget.
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_USE_MANIFEST = False
SERVESTATIC_AUTOREFRESH = DEBUG
# Pages name files by version, and browsers keep these. Files by their plain names, as in
# development, are asked for again each time (ETag, 304): a cached old module beside a new one is a
# broken page.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatproject.assets.storage.VersionedStorage"},
}
SERVESTATIC_MAX_AGE = 0
SERVESTATIC_ALLOW_ALL_ORIGINS = False

# --- Log-in, cookies, headers -------------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "chat"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Set behind a proxy that ends TLS and sets X-Forwarded-Proto itself; else any client could send it.
BEHIND_HTTPS = env.flag("BEHIND_HTTPS")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
# How many entries of X-Forwarded-For come from proxies of ours; any client can write the others.
PROXY_COUNT = env.number("PROXY_COUNT", 0, high=9)
# The peers whose X-Forwarded-For is believed; without any, those of private networks.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# A redirect to HTTPS is the proxy's job; here it would break the proxy's health checks.
HSTS_SECONDS = env.number("HSTS_SECONDS", 31_536_000 if BEHIND_HTTPS else 0)

SESSION_ENGINE = "sessions.access.login_store"  # Django's table, with digests in place of the keys
# Cookies know no ports: two installations on one host would end each other's log-ins.
_installation = installation_mark(SECRET_KEY)
# Behind HTTPS no page over http, and none of another name of the domain, can set these cookies.
_prefix = ("__Secure-" if BASE_PATH else "__Host-") if BEHIND_HTTPS else ""
SESSION_COOKIE_NAME = f"{_prefix}backstay_login_{_installation}"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{BASE_PATH}/"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = BEHIND_HTTPS
SESSION_COOKIE_AGE = 30 * 24 * 3600
CSRF_FAILURE_VIEW = "sessions.web.pages.csrf_failure"
CSRF_COOKIE_NAME = f"{_prefix}backstay_csrf_{_installation}"
# Read by the page's script for each POST: a token kept in the page would be stale after a log-in
# in another tab, and a prompt that waits in an outbox would be refused.
CSRF_COOKIE_HTTPONLY = False
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = BEHIND_HTTPS
# With the number of an account: the chat page suggests no password to it in this browser. The
# page's script sets it.
NOT_NOW_COOKIE_NAME = f"{_prefix}backstay_not_now_{_installation}"
# The admin's notes, without a cookie of their own.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Language and time --------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- Logging ------------------------------------------------------------------------------------

LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.text("LOG_FORMAT", "plain")
IS_SERVER = Path(sys.argv[0]).name != "manage.py" or not {"serve", "run_agents"}.isdisjoint(
    sys.argv
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "chatproject.logs.PlainFormatter"},
        "json": {"()": "chatproject.logs.JsonFormatter"},
    },
    "filters": {
        "short_warnings": {"()": "chatproject.logs.ShortWarnings"},
        "without_traceback": {"()": "chatproject.logs.WithoutTraceback"},
    },
    "handlers": {
        # One JSON object per line, for the machine that collects them; a person reads a terminal.
        "audit": {
            "class": "logging.StreamHandler",
            "formatter": "plain" if LOG_FORMAT != "json" and sys.stderr.isatty() else "json",
        },
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "plain",
        },
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own set-up would print its records a second time or mail them.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # A command in a person's terminal leaves its entry in the table alone.
        "backstay.audit": {
            "handlers": ["audit"] if IS_SERVER else [],
            "level": "INFO",
            "propagate": False,
        },
        "django.request": {"filters": ["short_warnings"]},
        **{
            f"django.security.{name}": {"filters": ["without_traceback"]}
            for name in (
                "BadRequest",
                "DisallowedHost",
                "DisallowedRedirect",
                "RequestDataTooBig",
                "SuspiciousMultipartForm",
                "SuspiciousOperation",
                "TooManyFieldsSent",
                "TooManyFilesSent",
            )
        },
        # One line per HTTP request and per stream frame at these levels.
        "daphne": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}
