"""The project: settings, routes and the ASGI entry; knows every app, no app knows it."""
