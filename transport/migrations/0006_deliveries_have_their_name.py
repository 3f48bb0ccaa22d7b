"""Names the rows as the pages do; no table changes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transport", "0005_decision_of_a_round_and_last_ping")]

    operations = [
        migrations.AlterModelOptions(
            name="watch",
            options={
                "ordering": ["connection", "opened_at"],
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
            },
        ),
    ]
