"""Re-price previews made in the background."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("usage", "0010_withdrawals")]

    operations = []
