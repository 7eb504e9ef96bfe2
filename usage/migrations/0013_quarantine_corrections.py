"""The quarantine keeps what was sent beside its correction, and remembers what is to be sent again."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("usage", "0012_import_problems"),
    ]

    operations = [
        migrations.AddField(
            model_name="quarantineditem",
            name="corrected",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="The body as corrected; empty where it is as sent.",
            ),
        ),
        migrations.AddField(
            model_name="quarantineditem",
            name="queued_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="quarantineditem",
            name="queued_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="quarantineditem",
            name="tried_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="quarantineditem",
            index=models.Index(condition=models.Q(("status", "open")), fields=["-received_at"], name="quarantine_open"),
        ),
        migrations.AddIndex(
            model_name="quarantineditem",
            index=models.Index(
                condition=models.Q(("queued_at__isnull", False)), fields=["queued_at"], name="quarantine_queued"
            ),
        ),
    ]
