"""The row of a prompt is called Prompt. Its table keeps its name: no statement touches it.

Content type and permissions follow, so that granted rights and the admin's history stay.
"""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def _rename(apps: Apps, editor: BaseDatabaseSchemaEditor, old: str, new: str) -> None:
    database = editor.connection.alias
    types = apps.get_model("contenttypes", "ContentType").objects.using(database)
    if types.filter(app_label="chat_sessions", model=new).exists():
        return
    types.filter(app_label="chat_sessions", model=old).update(model=new)
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    for action in ("add", "change", "delete", "view"):
        permissions.filter(
            content_type__app_label="chat_sessions", codename=f"{action}_{old}"
        ).update(codename=f"{action}_{new}", name=f"Can {action} {new}")


def to_prompt(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    _rename(apps, editor, "command", "prompt")


def to_command(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    _rename(apps, editor, "prompt", "command")


class Migration(migrations.Migration):

    dependencies = [
        ("chat_sessions", "0004_close_when_done"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelTable("command", "chat_sessions_command"),
                migrations.RenameModel("Command", "Prompt"),
                migrations.AlterField(
                    "prompt",
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prompts",
                        to="chat_sessions.session",
                    ),
                ),
            ]
        ),
        migrations.RunPython(to_prompt, to_command),
    ]
