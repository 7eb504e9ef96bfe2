"""The organisation: settings, closing days, undo; in the domain, on the page, over the API."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from budgets.access.keys import KeyHolder
from budgets.audit.newest import newest_entry
from budgets.audit.record import record
from budgets.currency.rates import RateValues, set_rate
from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.opening import open_budgets
from budgets.models import AuditEntry, Organisation, PlannedActivity
from budgets.organisation import edit
from budgets.tests.made import ACTOR
from tests.people import viewer

pytestmark = pytest.mark.django_db
SEEN = {"seen_name": "My company", "seen_time_zone": "UTC", "seen_currency": "USD", "seen_fiscal_year_starts": "1"}
FORM = SEEN | {"name": "My company", "time_zone": "UTC", "currency": "USD", "fiscal_year_starts": "1", "reason": ""}


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def api():
    client = APIClient()
    client.force_authenticate(KeyHolder(1, "robot", 1, "robot", (("robot", 1),), frozenset({"admin"}), None))
    return client


def test_another_zone_reopens_budgets_and_keeps_whole_days():
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=5))
    open_budgets(lambda openings: [])
    launch = PlannedActivity.objects.create(
        name="Launch",
        starts_at=datetime(2026, 12, 1, tzinfo=UTC),
        ends_at=datetime(2026, 12, 3, tzinfo=UTC),
    )
    row = edit.change_organisation(ACTOR, {"time_zone": "Asia/Kathmandu"})
    budget.refresh_from_db()
    assert budget.opened_generation < budget.generation == Organisation.get().generation
    launch.refresh_from_db()
    assert (row.local(launch.starts_at).isoformat(), launch.ends_at - launch.starts_at) == (
        "2026-12-01T00:00:00+05:45", timedelta(days=2),
    )  # fmt: skip
    edit.undo_organisation(ACTOR, newest_entry(Organisation, 1))
    launch.refresh_from_db()
    assert (Organisation.get().time_zone, launch.starts_at) == ("UTC", datetime(2026, 12, 1, tzinfo=UTC))


def test_a_currency_needs_a_rate_and_the_rate_then_stays():
    with pytest.raises(edit.InvalidOrganisation, match="There is no rate for EUR on"):
        edit.change_organisation(ACTOR, {"currency": "EUR"})
    set_rate(ACTOR, RateValues("EUR", date(2026, 1, 1), Decimal("0.92")))
    assert edit.change_organisation(ACTOR, {"currency": "EUR"}).currency == "EUR"
    assert AuditEntry.objects.order_by("pk").last().after["currency"] == "EUR"


def test_days_are_closed_and_opened_with_a_reason():
    today = timezone.now().date()
    month = today.replace(day=1) - timedelta(days=31)
    edit.close_days(ACTOR, month, "Month end")
    for wrong in (month, month - timedelta(days=1), today + timedelta(days=1), date(1999, 1, 1)):
        with pytest.raises(edit.InvalidOrganisation):
            edit.close_days(ACTOR, wrong)
    with pytest.raises(edit.InvalidOrganisation, match="Say why"):
        edit.open_days(ACTOR, None, " ")
    edit.open_days(ACTOR, month - timedelta(days=5), "Invoice was wrong")
    edit.undo_organisation(ACTOR, newest_entry(Organisation, 1))
    assert Organisation.get().closed_before == month
    acts = list(AuditEntry.objects.order_by("pk").values_list("act", flat=True))
    assert acts == ["closed days", "opened days", "moved the close"]
    with pytest.raises(edit.RefusedOrganisation):
        edit.undo_organisation(ACTOR, AuditEntry.objects.order_by("pk").first())


def test_the_page_saves_only_what_was_changed_on_it(boss):
    page = boss.get("/settings/")
    assert page.status_code == 200 and b'value="My company"' in page.content and b"Europe/Berlin" in page.content
    Organisation.objects.update(fiscal_year_starts=4)  # somebody else, meanwhile
    answer = boss.post("/settings/", FORM | {"name": "Acme"}, follow=True)
    assert "Acme is saved." in answer.content.decode()
    row = Organisation.get()
    assert (row.name, row.fiscal_year_starts) == ("Acme", 4)
    entry = newest_entry(Organisation, 1)
    assert f"/settings/undo/{entry.pk}/" in answer.content.decode()
    assert boss.post(f"/settings/undo/{entry.pk}/").status_code == 302
    assert Organisation.get().name == "My company"


def test_another_zone_is_asked_about_first(boss):
    asked = boss.post("/settings/", FORM | {"time_zone": "europe/berlin"})
    words = asked.content.decode()
    assert asked.status_code == 200 and "Days begin at midnight in Berlin instead of UTC" in words
    assert "Save and count anew" in words and Organisation.get().time_zone == "UTC"
    boss.post("/settings/", FORM | {"time_zone": "Europe/Berlin", "sure": "1"})
    assert Organisation.get().time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("time_zone", "Mars/Base", "is no time zone"),
        ("currency", "EUR", "There is no rate for EUR on"),
        ("currency", "ZZZ", "Select a valid choice"),
        ("name", "", "This field is required"),
        ("fiscal_year_starts", "13", "Select a valid choice"),
        ("name", "a\0b", "Null characters"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(boss, field, typed, sentence):
    answer = boss.post("/settings/", FORM | {field: typed})
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_closing_shows_what_it_closes_first(boss):
    day = (timezone.now() - timedelta(days=40)).date()
    page = boss.get("/settings/close/", {"before": day.isoformat()}).content.decode()
    assert "Nothing is closed yet" in page and "/settings/close/spend/" in page
    assert boss.get("/settings/close/", {"before": "2999-01-01"}).status_code == 422
    assert boss.get("/settings/close/", {"before": "junk"}).status_code == 422
    done = boss.post("/settings/close/", {"before": day.isoformat(), "reason": "Month"}, follow=True)
    assert "are closed" in done.content.decode() and Organisation.get().closed_before == day
    assert boss.post("/settings/open/", {"before": "", "reason": ""}).status_code == 422
    boss.post("/settings/open/", {"before": "", "reason": "Wrong invoice"})
    assert Organisation.get().closed_before is None


def test_those_who_may_not_change_it_see_it_and_are_told(client):
    client.force_login(viewer("kim"))
    assert b"takes the right to change the organisation" in client.get("/settings/").content
    assert client.post("/settings/", FORM | {"name": "Acme"}).status_code == 403
    assert client.get("/settings/close/?before=2026-01-01").status_code == 403
    assert client.post("/settings/undo/1/").status_code == 403


def test_statements_of_the_page(boss, django_assert_num_queries):
    boss.get("/settings/")
    with django_assert_num_queries(5):
        boss.get("/settings/")


def test_over_the_api(api):
    assert api.get("/api/v1/organisation").json()["time_zone"] == "UTC"
    sent = {"time_zone": "Asia/Kolkata", "closed_before": "2026-01-01", "reason": "Start"}
    answer = api.patch("/api/v1/organisation", sent, format="json")
    assert answer.status_code == 200 and answer.json()["closed_before"] == "2026-01-01"
    assert AuditEntry.objects.filter(origin="api").count() == 2
    for wrong, field in (
        ({"closed_before": None}, "reason"),
        ({"currency": "EUR"}, "currency"),
        ({"closed_before": "2999-01-01", "name": "New"}, "closed_before"),
        ({"fiscal_year_starts": 0}, "fiscal_year_starts"),
        ({"time_zone": "UTC", "name": "New"}, "time_zone"),
        ({"time_zone": "UTC", "closed_before": "2025-12-01", "reason": "Some days only"}, "time_zone"),
    ):
        answer = api.patch("/api/v1/organisation", wrong, format="json")
        assert answer.status_code == 422 and field in answer.json()["errors"], wrong
    row = Organisation.get()
    assert (row.name, row.time_zone, row.closed_before) == ("My company", "Asia/Kolkata", date(2026, 1, 1))
    both = {"time_zone": "UTC", "closed_before": None, "reason": "Another zone"}
    answer = api.patch("/api/v1/organisation", both, format="json")
    assert (answer.status_code, answer.json()["time_zone"], answer.json()["closed_before"]) == (200, "UTC", None)


def test_a_second_person_for_policies_is_asked_for_on_the_page_and_taken_back(boss):
    page = boss.get("/settings/").content.decode()
    assert "A second person approves a new policy" in page
    assert 'name="seen_policy_needs_second" value="False"' in page
    seen = FORM | {"seen_policy_needs_second": "False"}
    assert boss.post("/settings/", seen | {"policy_needs_second": "on"}).status_code == 302
    assert Organisation.get().policy_needs_second is True
    entry = newest_entry(Organisation, 1)
    assert (entry.before["policy_needs_second"], entry.after["policy_needs_second"]) == (False, True)
    assert "a second person approves a new policy" in boss.get("/history/").content.decode()
    boss.post(f"/settings/undo/{entry.pk}/")
    assert Organisation.get().policy_needs_second is False


def test_a_form_that_does_not_touch_the_second_person_leaves_what_somebody_else_set(boss):
    """The page showed it as off; somebody set it meanwhile; this form changes the name only."""
    edit.change_organisation(ACTOR, {"policy_needs_second": True})
    boss.post("/settings/", FORM | {"seen_policy_needs_second": "False", "name": "New name"})
    row = Organisation.get()
    assert (row.name, row.policy_needs_second) == ("New name", True)


def test_the_second_person_over_the_api(api):
    assert api.get("/api/v1/organisation").json()["policy_needs_second"] is False
    assert api.patch("/api/v1/organisation", {"policy_needs_second": True}, format="json").status_code == 200
    assert Organisation.get().policy_needs_second is True
    assert api.patch("/api/v1/organisation", {"policy_needs_second": "maybe"}, format="json").status_code == 422


def test_a_change_from_before_the_setting_was_there_can_be_undone():
    edit.change_organisation(ACTOR, {"policy_needs_second": True})
    before = {"name": "My company", "time_zone": "UTC", "currency": "USD", "fiscal_year_starts": 1}
    record(ACTOR, "changed", Organisation.get(), before, before | {"fiscal_year_starts": 4})
    Organisation.objects.update(fiscal_year_starts=4)
    edit.undo_organisation(ACTOR, newest_entry(Organisation, 1))
    row = Organisation.get()
    assert (row.fiscal_year_starts, row.policy_needs_second) == (1, True)
