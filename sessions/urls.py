"""The paths of the pages, and of what watches over the server."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from sessions import views

urlpatterns = [
    path("", views.chat_page, name="chat"),
    path("s/<uuid:session_id>", views.chat_page, name="session"),
    path("login/", views.LogIn.as_view(), name="login"),
    path("login/once/<str:secret>", views.login_once, name="login-once"),
    # In front of the admin's own form, which no brake stands before.
    path("admin/login/", views.admin_log_in),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.show_metrics, name="metrics"),
]
