"""The widest tables of the policy's pages, in windows of usual sizes: nothing runs over, nothing lies on another."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.models import Organisation, Workflow
from routing.models import PolicyReplay
from routing.policy.ready_made import ensure_first_policy
from routing.replay.result import Basis, Result, Sides, Tally, written
from routing.tests.policies import a_draft

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# A table that is wider than its card may be moved in it, yet not in a window of a usual size.
RUNS_OVER = """() => [
    ...(document.documentElement.scrollWidth > document.documentElement.clientWidth ? ["the page"] : []),
    ...[...document.querySelectorAll("th")]
        .filter(one => (one.closest("thead") ?? one).offsetWidth > 1 && one.scrollWidth > one.clientWidth)
        .map(one => one.textContent.trim()),
    ...[...document.querySelectorAll("table")]
        .filter(one => innerWidth >= 1280 && one.offsetWidth > one.parentElement.clientWidth + 1)
        .map(one => one.caption.textContent),
]"""


def many(cost):
    return Tally(
        calls=1_234_567, made=1_200_000, cost=cost, unpriced=12_345, blocked=9_876, approval=98_765, lowered=123_456,
        review=234_567,
    )  # fmt: skip


def a_preview(draft):
    """Long figures and names everywhere."""
    sides = Sides(many(26_770_040_000_000), many(10_855_270_000_000), many(8_855_270_000_000), 543_210, 1_200_000, 9, 8)
    document = {"tiers": [{"number": 1, "name": "Economy"}], "policy": {"rules": []}}
    result = Result(
        1, 10_000, 1, sides, {"briefs": sides, "copy": sides}, {"1": sides, "0": sides, "not-made": sides}, {}, {},
        Basis(document, {}, 0, 10_000),
    )  # fmt: skip
    return PolicyReplay.objects.create(
        version=draft, edit_version=draft.edit_version, starts_at=timezone.now() - timedelta(days=30),
        ends_at=timezone.now(), state="done", calls=1_234_567, taken=1_234_567, result=written(result),
    )  # fmt: skip


def test_nothing_runs_over(page, live_server):
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.create(slug="briefs", name="Customer reply assistant", status="production")
    Workflow.objects.create(slug="copy", name="Advertisement variations", status="production")
    ensure_first_policy()
    draft = a_draft()
    replay = a_preview(draft)
    client = Client()
    client.force_login(User.objects.create_superuser("lena", first_name="Lena"))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    for path in ("/routing/", f"/routing/drafts/{draft.pk}/", f"/routing/drafts/{draft.pk}/preview/{replay.pk}/"):
        page.goto(live_server.url + path)
        for width in (1440, 1280, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(RUNS_OVER) == [], (path, width)
