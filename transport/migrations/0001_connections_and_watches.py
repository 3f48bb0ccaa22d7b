"""Connections and watches, and the lock of the one active periodic sync."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('chat_sessions', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SyncLock',
            fields=[
                ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('holder', models.CharField(blank=True, max_length=120)),
                ('held_until', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Connection',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('process', models.CharField(max_length=120)),
                ('user_agent', models.CharField(blank=True, max_length=200)),
                ('opened_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('close_reason', models.CharField(blank=True, max_length=32)),
                ('probes', models.JSONField(blank=True, default=list)),
                ('shown', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='chat_sessions.session')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='connections', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-opened_at'],
            },
        ),
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('background', models.BooleanField(default=False)),
                ('cursor_sent', models.BigIntegerField(blank=True, null=True)),
                ('cursor_acked', models.BigIntegerField(default=0)),
                ('replayed', models.BigIntegerField(default=0)),
                ('skipped', models.BigIntegerField(default=0)),
                ('last_decision', models.CharField(blank=True, max_length=100)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('order', models.CharField(choices=[('watch', 'Watch'), ('unwatch', 'Unwatch'), ('resume', 'Resume'), ('reconnect', 'Reconnect'), ('sync', 'Sync')], default='watch', max_length=16)),
                ('order_cursor', models.BigIntegerField(blank=True, null=True)),
                ('order_version', models.BigIntegerField(default=1)),
                ('done_version', models.BigIntegerField(default=0)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='watches', to='transport.connection')),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='watches', to='chat_sessions.session')),
            ],
            options={
                'verbose_name_plural': 'watches',
                'ordering': ['connection', 'opened_at'],
            },
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['process'], name='connection_open'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['user'], name='connection_of_user'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['closed_at'], name='connection_closed'),
        ),
        migrations.AddIndex(
            model_name='watch',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['session'], name='watch_open'),
        ),
        migrations.AddIndex(
            model_name='watch',
            index=models.Index(condition=models.Q(('order_version__gt', models.F('done_version'))), fields=['connection'], name='watch_ordered'),
        ),
        migrations.AddConstraint(
            model_name='watch',
            constraint=models.UniqueConstraint(fields=('connection', 'session'), name='watch_once'),
        ),
        migrations.AddConstraint(
            model_name='watch',
            constraint=models.CheckConstraint(condition=models.Q(('done_version__lte', models.F('order_version'))), name='watch_done_was_ordered'),
        ),
        migrations.AddConstraint(
            model_name='watch',
            constraint=models.CheckConstraint(condition=models.Q(('cursor_acked__gte', 0), ('replayed__gte', 0), ('skipped__gte', 0)), name='watch_counts_positive'),
        ),
    ]
