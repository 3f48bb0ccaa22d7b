"""The waiting time of a session's requests."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat_sessions", "0015_personal")]

    operations = [
        migrations.AddField(
            model_name="session",
            name="wait_s",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
