"""Security headers: one set for every answer, whichever part of the server makes it.

Streams bypass Django, and the server answers some requests itself. So the headers are added
around the ASGI application, where every answer passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http.client import BAD_REQUEST, NOT_MODIFIED
from typing import Any, Final

from django.conf import settings

from chatproject.base_path import local_path

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Agents write part of the page. Should a hole in the sanitiser ever let markup through, the
# browser still runs no script, loads nothing from elsewhere and posts no form to another site.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
# Markup enters a page of ours through one policy of ours; scripts of the admin know none.
TRUSTED_TYPES: Final = "require-trusted-types-for 'script'; trusted-types backstay"
_OFF: Final = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture",
    "geolocation", "gyroscope", "hid", "magnetometer", "microphone", "midi", "payment",
    "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip

_FOR_DOCUMENTS: Final = frozenset({b"cross-origin-opener-policy", b"permissions-policy"})

# A view that sets one of these itself keeps its own value.
SECURITY_HEADERS: Final[Headers] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _OFF).encode()),
)
# An answer that no window shows as a document: rules for documents would be bytes without a use.
BARE_HEADERS: Final[Headers] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    *((name, value) for name, value in SECURITY_HEADERS[1:] if name not in _FOR_DOCUMENTS),
)
_BARE_TYPES: Final = (b"application/json", b"text/event-stream", b"text/css", b"image/svg+xml")
_SCRIPT_TYPES: Final = (b"text/javascript", b"application/javascript")
# The admin and the page of the API run scripts of Django's and Swagger's.
FOREIGN_SCRIPTS: Final = ("/admin/", "/api/docs")
PAGE_HEADERS: Final[Headers] = (
    (b"content-security-policy", f"{CONTENT_SECURITY_POLICY}; {TRUSTED_TYPES}".encode()),
    *SECURITY_HEADERS[1:],
)
# A shared cache or the browser's back button must not show a page to the next person.
NO_STORE: Final = (b"cache-control", b"no-store")


def with_security_headers(application: Application) -> Application:
    """Return the ASGI application with the headers on each of its HTTP answers."""

    async def secured(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
                extra = _headers_for(scope, message["status"], given)
                message = {**message, "headers": _merged(given, extra)}
            await send(message)

        await application(scope, receive, send_secured)

    return secured


def _headers_for(scope: Message, status: int, given: Sequence[tuple[bytes, bytes]]) -> Headers:
    extra = _rules_for(scope, status, given)
    if status >= BAD_REQUEST or not scope["path"].startswith(settings.STATIC_URL):
        extra = (*extra, NO_STORE)
    if settings.HSTS_SECONDS and _is_https(scope):
        value = f"max-age={settings.HSTS_SECONDS}".encode()
        extra = (*extra, (b"strict-transport-security", value))
    return extra


def _rules_for(scope: Message, status: int, given: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return the rules of a page, or the shorter ones of data and of parts of a page."""
    kind = next((value for name, value in given if name.lower() == b"content-type"), b"")
    is_file = scope["path"].startswith(settings.STATIC_URL)
    # A worker takes the rules of its own script; none of them lies among the static files.
    if status == NOT_MODIFIED or kind.startswith(_BARE_TYPES):
        return BARE_HEADERS
    if is_file and kind.startswith(_SCRIPT_TYPES):
        return BARE_HEADERS
    return SECURITY_HEADERS if local_path(scope).startswith(FOREIGN_SCRIPTS) else PAGE_HEADERS


def _is_https(scope: Message) -> bool:
    if scope.get("scheme") == "https":
        return True
    return settings.BEHIND_HTTPS and (b"x-forwarded-proto", b"https") in scope["headers"]


def _merged(given: Sequence[tuple[bytes, bytes]], extra: Headers) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in given}
    return [*given, *((name, value) for name, value in extra if name not in names)]
