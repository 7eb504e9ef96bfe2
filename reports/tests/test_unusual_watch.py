"""Watching: found within a quarter hour, once, grouped, with the amount above usual; quiet where it is expected."""

from datetime import timedelta

import pytest

from reports.models import Finding
from reports.tests.unusual_made import (
    HOUR,
    NOW,
    QUARTER,
    a_company,
    a_workflow,
    fill,
    history,
    learnt,
    looked,
    looked_until,
)
from reports.unusual.watch import watch

pytestmark = pytest.mark.django_db


@pytest.fixture
def copy():
    a_company()
    workflow = a_workflow()
    history(workflow)
    learnt()
    return workflow


def test_a_jump_is_found_within_a_quarter_hour_and_grouped(copy):
    fill(copy, NOW, NOW + QUARTER, lambda when: 40.0)
    looked(NOW + QUARTER)
    finding = Finding.objects.get()
    print(finding.measures, finding.amount / 1e9, finding.points, finding.peaks)
    assert (finding.dimension, finding.workflow, finding.since, finding.until) == ("workflow", copy, NOW, NOW + QUARTER)
    assert {"money", "tokens", "calls"} <= set(finding.measures)
    assert finding.actual == 40 * 10**9
    assert 35 * 10**9 < finding.amount < 40 * 10**9
    assert finding.amount == sum(point[1] - point[2] for point in finding.points)
