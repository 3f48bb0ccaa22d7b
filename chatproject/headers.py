"""Security headers: one set for every answer, whichever part of the server makes it.

Streams bypass Django, and the server answers some requests itself. So the headers are added
around the ASGI application, where every answer passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http.client import BAD_REQUEST
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
                extra = _headers_for(scope, message["status"])
                message = {**message, "headers": _merged(message.get("headers", ()), extra)}
            await send(message)

        await application(scope, receive, send_secured)

    return secured


def _headers_for(scope: Message, status: int) -> Headers:
    extra = SECURITY_HEADERS if local_path(scope).startswith(FOREIGN_SCRIPTS) else PAGE_HEADERS
    if status >= BAD_REQUEST or not scope["path"].startswith(settings.STATIC_URL):
        extra = (*extra, NO_STORE)
    if settings.HSTS_SECONDS and _is_https(scope):
        value = f"max-age={settings.HSTS_SECONDS}".encode()
        extra = (*extra, (b"strict-transport-security", value))
    return extra


def _is_https(scope: Message) -> bool:
    if scope.get("scheme") == "https":
        return True
    return settings.BEHIND_HTTPS and (b"x-forwarded-proto", b"https") in scope["headers"]


def _merged(headers: Any, extra: Headers) -> list[tuple[bytes, bytes]]:
    given = [(bytes(name), bytes(value)) for name, value in headers]
    names = {name.lower() for name, _ in given}
    return given + [(name, value) for name, value in extra if name not in names]
