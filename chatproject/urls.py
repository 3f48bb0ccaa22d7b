"""Every path of the site, one line per app."""

from django.contrib import admin
from django.urls import include, path

from chatproject.api import api

urlpatterns = [
    path("", include("sessions.urls")),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
]

handler400 = "sessions.views.bad_request"
handler403 = "sessions.views.forbidden"
handler404 = "sessions.views.not_found"
handler500 = "sessions.views.server_error"
