"""Logging in as a person does: by a form, or by the secret of a link."""

from django.test import Client


def secret_of(path: str) -> str:
    return path.rsplit("/", 1)[1]


def log_in(client: Client, password: str, username: str = "ada", **extra: str):
    data = {"username": username, "password": password}
    return client.post("/login/", data, **extra)
