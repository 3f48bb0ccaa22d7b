"""A connection knows what let it in."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transport', '0003_resync_orders'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='credential',
            field=models.CharField(blank=True, max_length=140),
        ),
    ]
