"""The ASGI entry: what every server process runs."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

# Must come first: it fills the app registry that the imports of any routing need.
django_application = get_asgi_application()

# Paths that bypass Django's request cycle (the streams) are routed here, before Django's own.
application = django_application
