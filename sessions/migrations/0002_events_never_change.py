"""A trigger refuses every update of an event, whoever asks."""

from django.db import migrations

TABLE = "chat_sessions_event"

SQLITE = f"""
CREATE TRIGGER event_never_changes BEFORE UPDATE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END
"""

POSTGRESQL = f"""
CREATE FUNCTION event_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the event log is append-only'; END $$;
CREATE TRIGGER event_never_changes BEFORE UPDATE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION event_never_changes()
"""


def forwards(apps, schema_editor):
    sql = {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]
    schema_editor.execute(sql)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER event_never_changes")
    else:
        schema_editor.execute(f"DROP TRIGGER event_never_changes ON {TABLE}")
        schema_editor.execute("DROP FUNCTION event_never_changes()")


class Migration(migrations.Migration):
    dependencies = [("chat_sessions", "0001_initial")]

    operations = [migrations.RunPython(forwards, backwards)]
