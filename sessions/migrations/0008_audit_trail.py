"""The audit trail: rows that a trigger keeps from every update."""

from django.db import migrations, models

TABLE = "chat_sessions_auditentry"

SQLITE = f"""
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
"""

POSTGRESQL = f"""
CREATE FUNCTION audit_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION audit_never_changes()
"""


def forwards(apps, schema_editor):
    sql = {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]
    schema_editor.execute(sql)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER audit_never_changes")
    else:
        schema_editor.execute(f"DROP TRIGGER audit_never_changes ON {TABLE}")
        schema_editor.execute("DROP FUNCTION audit_never_changes()")


class Migration(migrations.Migration):

    dependencies = [
        ("chat_sessions", "0007_second_factors_and_log_ins"),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_index=True)),
                ('act', models.CharField(max_length=32)),
                ('who', models.CharField(blank=True, max_length=150)),
                ('about', models.CharField(blank=True, max_length=200)),
                ('address', models.CharField(blank=True, max_length=64)),
                ('credential', models.CharField(blank=True, max_length=64)),
                ('credential_name', models.CharField(blank=True, max_length=100)),
                ('connection', models.CharField(blank=True, max_length=64)),
                ('facts', models.JSONField(default=dict)),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'ordering': ['pk'],
            },
        ),
        migrations.RunPython(forwards, backwards),
    ]
