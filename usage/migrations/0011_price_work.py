"""Re-price previews made in the background; what calls without a price are; a colour for each model."""

from django.db import migrations, models
from django.db.models import Q

STATUSES = [
    ("previewing", "Being counted"),
    ("preview", "Preview"),
    ("running", "Running"),
    ("done", "Done"),
    ("discarded", "Discarded"),
    ("failed", "Failed"),
]
# Earlier runs could only fail after somebody had confirmed them.
CONFIRMED = "UPDATE usage_repricerun SET confirmed_at = created_at WHERE status IN ('running', 'done', 'failed')"


class Migration(migrations.Migration):
    dependencies = [("usage", "0010_withdrawals")]

    operations = [
        migrations.AlterField(
            "repricerun", "status", models.CharField(choices=STATUSES, default="preview", max_length=10)
        ),
        migrations.AddField(
            "repricerun",
            "expected",
            models.BigIntegerField(default=0, help_text="Calls that the preview has to look at."),
        ),
        migrations.AddField(
            "repricerun",
            "seen",
            models.BigIntegerField(default=0, help_text="Calls that the preview has looked at."),
        ),
        migrations.AddField(
            "repricerun",
            "written",
            models.BigIntegerField(default=0, help_text="What the corrections sum to, in nano-dollars."),
        ),
        migrations.AddField("repricerun", "confirmed_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(CONFIRMED, migrations.RunSQL.noop),
        migrations.AlterModelOptions(
            "repricerun", {"verbose_name": "re-price run", "ordering": ["-created_at", "-id"]}
        ),
        migrations.AddIndex(
            "quarterhour",
            models.Index(fields=["bucket"], condition=~Q(unpriced=0), name="quarter_hour_unpriced"),
        ),
        migrations.CreateModel(
            "ModelColour",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model", models.TextField(unique=True)),
                ("slot", models.PositiveSmallIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(slot__gte=1, slot__lte=5), name="model_colour_is_one_of_five")
                ]
            },
        ),
    ]
