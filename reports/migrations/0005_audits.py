import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0018_leases'),
        ('reports', '0004_subscriptions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavingsRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_day', models.DateField()),
                ('last_day', models.DateField(help_text='Included.')),
                ('zone', models.CharField(max_length=64)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(help_text='Not included.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=7)),
                ('calls', models.PositiveBigIntegerField(help_text='How many there are in the window.', null=True)),
                ('taken', models.PositiveBigIntegerField(help_text='How many of them are looked at: fewer is a sample.', null=True)),
                ('done', models.PositiveBigIntegerField(default=0)),
                ('result', models.JSONField(null=True)),
                ('basis', models.JSONField(null=True)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('claimed_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='savings_window'), models.UniqueConstraint(condition=models.Q(('state__in', ['waiting', 'running'])), fields=('last_day',), name='savings_one_open')],
            },
        ),
        migrations.CreateModel(
            name='WorkflowAudit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('stopped', 'Stopped early')], default='running', max_length=7)),
                ('first_day', models.DateField()),
                ('last_day', models.DateField(help_text='Included.')),
                ('zone', models.CharField(max_length=64)),
                ('goal', models.CharField(blank=True, help_text="What is to become better, in the starter's words.", max_length=500)),
                ('baseline', models.JSONField()),
                ('proposals', models.JSONField(default=list)),
                ('days', models.JSONField(default=list)),
                ('started_text', models.CharField(blank=True, max_length=150)),
                ('started_at', models.DateTimeField()),
                ('followed_at', models.DateTimeField(help_text='When the days were last worked out.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('started_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workflow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audits', to='budgets.workflow')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='audit_days_in_order'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state', 'running')), models.Q(models.Q(('state', 'running'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='audit_ended_when_over'), models.UniqueConstraint(condition=models.Q(('state', 'running')), fields=('workflow',), name='audit_one_running_per_workflow')],
            },
        ),
    ]
