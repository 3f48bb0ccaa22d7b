"""The paths of the pages and of the monitoring."""

from django.urls import include, path

from sessions.web import pages

urlpatterns = [
    path("", pages.chat_page, name="chat"),
    path("s/<uuid:session_id>", pages.chat_page, name="session"),
    path("", include("sessions.web.account.urls")),
    path("favicon.ico", pages.favicon, name="favicon"),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("metrics", pages.show_metrics, name="metrics"),
]
