"""In which time zone wide days were summed: one row."""

from django.db import migrations

TABLE = """
CREATE TABLE usage_wide_zone (id boolean PRIMARY KEY DEFAULT true CHECK (id), zone text NOT NULL);
INSERT INTO usage_wide_zone (zone) SELECT time_zone FROM budgets_organisation WHERE id = 1
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_reprice_still_unpriced"), ("budgets", "0002_first_rows")]

    operations = [migrations.RunSQL(TABLE, "DROP TABLE usage_wide_zone")]
