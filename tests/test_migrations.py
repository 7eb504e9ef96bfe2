"""Migrations go back and forth: somebody who tries a new version can return to the old one, and come again."""

import os
import secrets
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.stack import CHECKOUT
from tokenops_site.serve.embedded import make_database

pytestmark = pytest.mark.site

STEPS = """
import django
django.setup()
from django.core.management import call_command
from budgets.models import Organisation, Workflow
from routing.models import BundleEpoch, Tier

def migrate(*names):
    call_command("migrate", *names, interactive=False, verbosity=0)

migrate()
for target in ("0001", "zero"):
    for floor in ("routing", "usage", "budgets"):
        migrate(floor, target)
    migrate()
    assert [one.objects.count() for one in (Organisation, Workflow, BundleEpoch, Tier)] == [1, 1, 1, 3]
"""


@pytest.fixture
def empty_database(server_url):
    name = f"migrations_{secrets.token_hex(5)}"
    make_database(server_url, name)
    yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_there_and_back_and_there_again(empty_database):
    environment = {**os.environ, "DATABASE_URL": empty_database}
    done = subprocess.run(
        [sys.executable, "-c", STEPS], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
