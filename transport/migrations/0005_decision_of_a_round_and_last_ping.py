"""Rows tell what periodic sync last decided, and when a reader last took a ping."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transport', '0004_credential_of_a_connection'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='pinged_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='watch',
            name='sync_decision',
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name='watch',
            name='synced_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
