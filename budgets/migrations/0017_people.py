"""Roles of the people who are there already, and the table in which tries to sign in are counted."""

from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.models import Q

# As Django's `createcachetable` makes it. Not logged: after a crash of the database server everybody starts at none.
MAKE = """
CREATE UNLOGGED TABLE IF NOT EXISTS tokenops_cache (
    cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS tokenops_cache_expires ON tokenops_cache (expires);
"""


def give_roles(apps: Any, schema_editor: Any) -> None:
    """Nobody sees less after the upgrade: who may do everything is administrator, who may change something has finance,
    every other open account reads. Administrators then say more exactly who does what.
    """
    membership = apps.get_model("budgets", "Membership")
    people = apps.get_model(settings.AUTH_USER_MODEL).objects.filter(memberships=None)
    edits = Q(codename__startswith="change_") | Q(codename__startswith="add_") | Q(codename__startswith="delete_")
    permissions = apps.get_model("auth", "Permission").objects.filter(edits)
    changing = Q(user_permissions__in=permissions) | Q(groups__permissions__in=permissions)
    found = dict.fromkeys(people.filter(is_active=True).values_list("pk", flat=True), "viewer")
    found |= dict.fromkeys(people.filter(changing, is_active=True).values_list("pk", flat=True), "finance")
    found |= dict.fromkeys(people.filter(is_superuser=True).values_list("pk", flat=True), "administrator")
    membership.objects.bulk_create([membership(user_id=person, role=role) for person, role in found.items()])


class Migration(migrations.Migration):
    dependencies = [
        ("budgets", "0016_delivery"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(MAKE, "DROP TABLE IF EXISTS tokenops_cache"),
        migrations.RunPython(give_roles, migrations.RunPython.noop, elidable=True),
    ]
