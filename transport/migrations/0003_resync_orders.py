"""A watch may be resynced from the admin."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transport', '0002_sync_orders'),
    ]

    operations = [
        migrations.AlterField(
            model_name='watch',
            name='order',
            field=models.CharField(choices=[('watch', 'Watch'), ('unwatch', 'Unwatch'), ('resume', 'Resume'), ('reconnect', 'Reconnect'), ('sync', 'Sync'), ('resync', 'Resync')], default='watch', max_length=16),
        ),
    ]
