"""A preview says how many calls the book cannot price today either."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0004_seed_prices"),
    ]

    operations = [
        migrations.AddField(
            model_name="repricerun",
            name="still_unpriced",
            field=models.BigIntegerField(default=0, help_text="Calls that have no price today either."),
        ),
        migrations.AlterField(
            model_name="repricerun",
            name="finished_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
