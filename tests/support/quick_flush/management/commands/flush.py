"""`flush`, as Django calls it behind each test that commits."""

from typing import Any, Final

from django.core.management.commands import flush
from django.db import connections, transaction

# Django fills them after a migration. Filling them again would take most of a test's time.
KEPT: Final = {"django_content_type", "auth_permission"}


class Command(flush.Command):
    """Deletes the rows of every table but those that no test changes.

    Most tables are empty, and TRUNCATE takes PostgreSQL as long for an empty one. Foreign keys are
    looked at when the transaction commits.
    """

    def handle(self, **options: Any) -> None:
        """Delete them."""
        connection = connections[options["database"]]
        quote = connection.ops.quote_name
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            names = {*connection.introspection.django_table_names(only_existing=True)} - KEPT
            found = [
                f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quote(name)})" for name in names
            ]
            cursor.execute(" UNION ALL ".join(found))
            for (name,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {quote(name)}")
