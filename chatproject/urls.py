"""Every path of the site, one line per app."""

from django.contrib import admin
from django.urls import include, path, re_path

from chatproject.api import api, unknown_path
from transport.feed.grip import grip_feed

urlpatterns = [
    path("", include("sessions.web.urls")),
    path("events/<uuid:session_id>", grip_feed, name="feed"),
    path("api/", unknown_path),
    path("api/", api.urls),
    re_path(r"^api/", unknown_path),
    path("admin/", admin.site.urls),
]

handler400 = "sessions.web.pages.bad_request"
handler403 = "sessions.web.pages.forbidden"
handler404 = "sessions.web.pages.not_found"
handler500 = "sessions.web.pages.server_error"
