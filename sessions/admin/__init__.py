"""The admin. It looks at logs and changes none."""

from django.contrib import admin

from sessions.admin import access, chat

__all__ = ["access", "chat"]

admin.site.site_header = "Backstay"
admin.site.site_title = "Backstay"
admin.site.index_title = "Administration"
# The lists are wide, and the breadcrumbs lead back.
admin.site.enable_nav_sidebar = False
