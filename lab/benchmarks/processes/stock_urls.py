"""The peer's only route, as its documentation writes it."""

import django_eventstream
from django.urls import include, path

urlpatterns = [path("events/<channel>/", include(django_eventstream.urls))]
