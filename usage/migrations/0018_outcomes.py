"""Messages about runs, what counts apart from its run, and when each run counts.

A run of closed days stays where it counted, by its last call; others count when their last call was posted.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What posted at another time than its own is found by an index; the rest posted at the time of its call.
FILL = """
UPDATE usage_run SET counts_at = last_call;
UPDATE usage_run AS run SET counts_at = late.posted_at FROM budgets_organisation, (
    SELECT workflow_id, run_id, max(posted_at) AS posted_at FROM usage_ledger
    WHERE posted_at <> time AND kind = 0 AND run_id <> '' GROUP BY workflow_id, run_id
) AS late
WHERE budgets_organisation.id = 1 AND late.workflow_id = run.workflow_id AND late.run_id = run.run_id
    AND late.posted_at > run.last_call
    AND run.last_call >= coalesce(closed_before::timestamp AT TIME ZONE time_zone, '-infinity')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0017_core_and_token_days'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OutcomeMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.TextField(help_text="The sender's own id; empty where it sent none.")),
                ('source_id', models.IntegerField(help_text='Null: somebody set it on a page.', null=True)),
                ('key', models.UUIDField()),
                ('content', models.UUIDField()),
                ('workflow_id', models.IntegerField()),
                ('run_id', models.TextField()),
                ('outcome', models.CharField(choices=[('completed', 'Completed'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('reworked', 'Sent back'), ('shipped', 'Shipped'), ('failed', 'Failed')], max_length=9)),
                ('time', models.DateTimeField(help_text='When it was decided.')),
                ('received_at', models.DateTimeField()),
                ('reviewer', models.TextField(blank=True)),
                ('review_minutes', models.DecimalField(decimal_places=2, max_digits=9, null=True)),
                ('satisfaction', models.DecimalField(decimal_places=2, max_digits=3, null=True)),
                ('misrouted', models.BooleanField(null=True)),
                ('revenue', models.BigIntegerField(null=True)),
                ('minutes_saved', models.DecimalField(decimal_places=2, max_digits=11, null=True)),
                ('cases', models.IntegerField(null=True)),
                ('asset', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('new', 'New'), ('waiting', 'Waits for its run'), ('applied', 'Applied')], default='new', max_length=7)),
                ('applied_to', models.IntegerField(null=True)),
                ('is_duplicate', models.BooleanField(default=False)),
                ('taken_back_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RunPosting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('workflow_id', models.IntegerField()),
                ('run_id', models.TextField()),
                ('posted_at', models.DateTimeField()),
                ('runs', models.IntegerField()),
                ('cost', models.BigIntegerField()),
                ('steps', models.IntegerField()),
                ('judged', models.IntegerField()),
                ('judged_cost', models.BigIntegerField()),
                ('completed', models.IntegerField()),
                ('approved', models.IntegerField()),
                ('shipped', models.IntegerField()),
                ('rejected', models.IntegerField()),
                ('failed', models.IntegerField()),
                ('reviewed', models.IntegerField()),
                ('reworked', models.IntegerField()),
                ('misrouted', models.IntegerField()),
                ('reviews', models.IntegerField()),
                ('duplicates', models.IntegerField()),
                ('review_minutes', models.DecimalField(decimal_places=2, max_digits=14)),
                ('scored', models.IntegerField()),
                ('satisfaction', models.DecimalField(decimal_places=2, max_digits=10)),
                ('revenue', models.BigIntegerField()),
                ('minutes_saved', models.DecimalField(decimal_places=2, max_digits=14)),
                ('cases', models.BigIntegerField()),
            ],
        ),
        migrations.RemoveIndex(
            model_name='run',
            name='run_approved',
        ),
        migrations.AddField(
            model_name='run',
            name='asset',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='run',
            name='cases',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField('run', 'counts_at', models.DateTimeField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField('run', 'counts_at', models.DateTimeField()),
        migrations.AddField(
            model_name='run',
            name='duplicates',
            field=models.IntegerField(db_default=0, default=0, help_text='Reviews of what was reviewed already.'),
        ),
        migrations.AddField(
            model_name='run',
            name='minutes_saved',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12),
        ),
        migrations.AddField(
            model_name='run',
            name='misrouted',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='run',
            name='revenue',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Nano-dollars.'),
        ),
        migrations.AddField(
            model_name='run',
            name='review_minutes',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=12),
        ),
        migrations.AddField(
            model_name='run',
            name='reviewer',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='run',
            name='reviews',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='run',
            name='satisfaction',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, help_text='The sum of the scores, each from 0 to 5.', max_digits=8),
        ),
        migrations.AddField(
            model_name='run',
            name='scored',
            field=models.IntegerField(db_default=0, default=0, help_text='How many satisfaction scores there are.'),
        ),
        migrations.AlterField(
            model_name='run',
            name='outcome',
            field=models.CharField(choices=[('open', 'Open'), ('completed', 'Completed'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('shipped', 'Shipped'), ('failed', 'Failed'), ('reworked', 'Sent back')], default='open', max_length=9),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['counts_at'], name='usage_run_counts__134b83_idx'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['workflow_id', 'counts_at'], name='run_of_workflow'),
        ),
        migrations.AddField(
            model_name='outcomemessage',
            name='entered_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='runposting',
            index=models.Index(fields=['posted_at'], name='usage_runpo_posted__7d7bed_idx'),
        ),
        migrations.AddIndex(
            model_name='runposting',
            index=models.Index(fields=['workflow_id', 'run_id'], name='run_posting_of_run'),
        ),
        migrations.AddIndex(
            model_name='outcomemessage',
            index=models.Index(condition=models.Q(('state', 'new')), fields=['id'], name='outcome_new'),
        ),
        migrations.AddIndex(
            model_name='outcomemessage',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['run_id'], name='outcome_waiting'),
        ),
        migrations.AddIndex(
            model_name='outcomemessage',
            index=models.Index(fields=['applied_to', 'run_id'], name='outcome_of_run'),
        ),
        migrations.AddIndex(
            model_name='outcomemessage',
            index=models.Index(fields=['workflow_id', 'run_id'], name='outcome_about'),
        ),
        migrations.AddConstraint(
            model_name='outcomemessage',
            constraint=models.UniqueConstraint(condition=models.Q(('taken_back_at', None)), fields=('source_id', 'key'), name='outcome_identity'),
        ),
        migrations.AddConstraint(
            model_name='outcomemessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('applied_to__isnull', False), ('state', 'applied')), models.Q(models.Q(('state', 'applied'), _negated=True), ('applied_to', None)), _connector='OR'), name='outcome_applied_to_a_run'),
        ),
    ]
