"""Pages of unusual spend: list, filters, one finding, card, CSV, handling, roles, counts of statements."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.models import NANO, AuditEntry
from reports.models import Finding
from reports.tests.unusual_made import DAY, HOUR, NOW, QUARTER, a_company, a_workflow
from reports.unusual.scopes import epoch
from routing.tests.alerting import client_of

pytestmark = pytest.mark.django_db


def a_finding(workflow, since=NOW - 3 * HOUR, dollars=(40, 30), **more):
    """Some quarter hours, of which two dollars each are usual."""
    points = [
        [epoch(since + n * QUARTER), spent * NANO, 2 * NANO, NANO, 3 * NANO]
        for n, spent in enumerate((1, *dollars), -1)
    ]
    actual, expected = sum(dollars) * NANO, 2 * NANO * len(dollars)
    values = {
        "kind": "usual", "dimension": "workflow", "key": str(workflow.pk), "workflow": workflow, "team": workflow.team,
        "name": workflow.name, "measures": ["money", "calls"], "grain": 900, "since": since, "found_at": since + HOUR,
        "until": since + len(dollars) * QUARTER, "actual": actual, "expected": expected, "amount": actual - expected,
        "points": points, "peaks": {"money:900": 40.0}, "cause": "More runs: 400 instead of 20.",
    }  # fmt: skip
    return Finding.objects.create(**(values | more))


@pytest.fixture
def finding():
    a_company()
    return a_finding(a_workflow())


@pytest.fixture
def lena(client):
    client.force_login(User.objects.create_superuser("lena", password="a-long-horse-for-tests"))
    return client


def test_the_list_says_what_stands_out(lena, finding, django_assert_num_queries):
    with django_assert_num_queries(12):
        page = lena.get("/unusual/")
    text = page.content.decode()
    assert "$66.00 more than usual for Ad copy" in text or "$66 more than usual for Ad copy" in text
    assert "More runs: 400 instead of 20." in text and "To check" in text
