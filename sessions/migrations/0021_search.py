"""The index of the search, kept by triggers; messages of before are filled in later."""

from django.db import migrations, models

# So many messages are indexed at once; those of a larger database by portions, while it runs.
AT_ONCE = 5_000

SQLITE = (
    """
    CREATE VIRTUAL TABLE chat_search USING fts5(
        text, scope, content='', tokenize='unicode61 remove_diacritics 2',
        prefix='2 3'
    )
    """,
    "CREATE TABLE chat_search_entry (id integer PRIMARY KEY, scope text NOT NULL)",
    """
    CREATE TRIGGER chat_search_insert AFTER INSERT ON chat_sessions_message BEGIN
        INSERT INTO chat_search_entry (id, scope) SELECT new.id, 'o' || owner_id || ' s' || id
            FROM chat_sessions_session WHERE id = new.session_id;
        INSERT INTO chat_search (rowid, text, scope)
            SELECT new.id, new.text, scope FROM chat_search_entry WHERE id = new.id;
    END
    """,
    """
    CREATE TRIGGER chat_search_update AFTER UPDATE OF text ON chat_sessions_message BEGIN
        INSERT INTO chat_search (chat_search, rowid, text, scope)
            SELECT 'delete', old.id, old.text, scope FROM chat_search_entry WHERE id = old.id;
        INSERT INTO chat_search (rowid, text, scope)
            SELECT new.id, new.text, scope FROM chat_search_entry WHERE id = new.id;
    END
    """,
    """
    CREATE TRIGGER chat_search_delete AFTER DELETE ON chat_sessions_message BEGIN
        INSERT INTO chat_search (chat_search, rowid, text, scope)
            SELECT 'delete', old.id, old.text, scope FROM chat_search_entry WHERE id = old.id;
        DELETE FROM chat_search_entry WHERE id = old.id;
    END
    """,
)
SQLITE_BACK = (
    "DROP TRIGGER chat_search_insert",
    "DROP TRIGGER chat_search_update",
    "DROP TRIGGER chat_search_delete",
    "DROP TABLE chat_search",
    "DROP TABLE chat_search_entry",
)

# Signs become spaces, so that a path or an address is its words. A text with too many words for
# one tsvector is indexed by its beginning: a search must never make an append fail.
POSTGRESQL = (
    "CREATE TABLE chat_search (id bigint PRIMARY KEY, words tsvector NOT NULL)",
    "CREATE INDEX chat_search_words ON chat_search USING gin (words)",
    r"""
    CREATE FUNCTION chat_search_words(body text, session uuid) RETURNS tsvector
    LANGUAGE plpgsql AS $$
    DECLARE
        plain text := translate(body, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));
        scope tsvector := (
            SELECT array_to_tsvector(ARRAY['#o' || owner_id, '#s' || id])
            FROM chat_sessions_session WHERE id = session
        );
    BEGIN
        BEGIN
            RETURN scope || to_tsvector('simple', plain);
        EXCEPTION WHEN program_limit_exceeded THEN
            RETURN scope || to_tsvector('simple', left(plain, 50000));
        END;
    END $$
    """,
    """
    CREATE FUNCTION chat_search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM chat_search WHERE id = OLD.id;
        ELSE
            INSERT INTO chat_search (id, words)
            VALUES (NEW.id, chat_search_words(NEW.text, NEW.session_id))
            ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER chat_search_keep AFTER INSERT OR DELETE OR UPDATE OF text
    ON chat_sessions_message FOR EACH ROW EXECUTE FUNCTION chat_search_keep()
    """,
)
POSTGRESQL_BACK = (
    "DROP TRIGGER chat_search_keep ON chat_sessions_message",
    "DROP FUNCTION chat_search_keep()",
    "DROP FUNCTION chat_search_words(text, uuid)",
    "DROP TABLE chat_search",
)


def _execute(schema_editor, by_vendor):
    with schema_editor.connection.cursor() as cursor:
        for sql in by_vendor[schema_editor.connection.vendor]:
            cursor.execute(sql)


def forwards(apps, schema_editor):
    _execute(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def backwards(apps, schema_editor):
    _execute(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK})


def fill(apps, schema_editor):
    from sessions.search import engine

    message = apps.get_model("chat_sessions", "Message")
    is_small = message.objects.all()[: AT_ONCE + 1].count() <= AT_ONCE
    if is_small:
        engine.current().fill(0, AT_ONCE)
    apps.get_model("chat_sessions", "SearchIndex").objects.create(pk=1, is_whole=is_small)


class Migration(migrations.Migration):
    dependencies = [("chat_sessions", "0020_worktrees")]

    operations = [
        migrations.CreateModel(
            name="SearchIndex",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_whole", models.BooleanField(default=False)),
                ("filled_to", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RunPython(forwards, backwards),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
