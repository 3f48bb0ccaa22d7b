"""The paths of the pages and of the monitoring."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from sessions.web import pages

urlpatterns = [
    path("", pages.chat_page, name="chat"),
    path("s/<uuid:session_id>", pages.chat_page, name="session"),
    path("login/", pages.LogIn.as_view(), name="login"),
    path("login/once/<str:secret>", pages.login_once, name="login-once"),
    # In front of the admin's own form, which has no rate limit.
    path("admin/login/", pages.admin_log_in),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("favicon.ico", pages.favicon, name="favicon"),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("metrics", pages.show_metrics, name="metrics"),
]
