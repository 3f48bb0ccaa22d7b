"""How far periodic sync wants a watch caught up, and the gap that it skips at."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transport', '0001_connections_and_watches'),
    ]

    operations = [
        migrations.AddField(
            model_name='watch',
            name='order_max_gap',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='watch',
            name='order_upto',
            field=models.BigIntegerField(blank=True, null=True),
        ),
    ]
