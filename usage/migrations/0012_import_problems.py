"""What is wrong with single lines of an import, and how far its work is."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('usage', '0011_price_work'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='import',
            name='errors',
        ),
        migrations.AddField(
            model_name='import',
            name='attempts',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='import',
            name='left_out',
            field=models.PositiveIntegerField(default=0, help_text='Lines that hold nothing to import.'),
        ),
        migrations.AddField(
            model_name='import',
            name='undo_done',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='import',
            name='undo_rows',
            field=models.PositiveIntegerField(default=0, help_text='How much its undo has to take back.'),
        ),
        migrations.AlterField(
            model_name='import',
            name='rows',
            field=models.PositiveIntegerField(default=0, help_text='Lines of the file, the header not among them.'),
        ),
        migrations.CreateModel(
            name='ImportProblem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.PositiveIntegerField()),
                ('column', models.CharField(blank=True, help_text='As the file names it; empty: the whole line.', max_length=200)),
                ('value', models.CharField(blank=True, max_length=200)),
                ('sentence', models.CharField(max_length=500)),
                ('import_run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='problems', to='usage.import')),
            ],
            options={
                'ordering': ['line', 'id'],
                'indexes': [models.Index(fields=['import_run', 'line'], name='import_problem_lines')],
            },
        ),
    ]
