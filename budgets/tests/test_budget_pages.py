"""The pages that change budgets: archive, restore, duplicate, owner, several at once; and what the list finds."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from budgets.limits.edit import archive_budget, last_change
from budgets.models import NANO, AuditEntry, Budget, BudgetState
from budgets.tests.made import ACTOR, a_budget
from tests.people import viewer

pytestmark = pytest.mark.django_db
TYPED = {
    "name": "Briefs", "covers_0": "", "metric": "money", "amount": "1,500", "period": "month", "thresholds": "80",
    "on_exhausted": "alert", "pace": "even", "carry_over": "0",
}  # fmt: skip


def running(name: str, amount: int = 100 * NANO, spent: int = 0, **more: object) -> Budget:
    """A budget with a state of the period that runs."""
    now = timezone.now()
    budget = a_budget(amount, name, **more)
    BudgetState.objects.create(
        budget=budget, period_start=now.date(), period_end=now.date(), starts_at=now - timedelta(hours=9),
        ends_at=now + timedelta(days=9), limit=amount, spent=spent, status="exhausted" if spent >= amount else "under",
    )  # fmt: skip
    return budget


@pytest.fixture
def three():
    return [running("One"), running("Two"), running("Three", spent=200 * NANO)]


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_archiving_asks_first_and_can_be_undone_or_restored(admin_client, three):
    page = text(admin_client.get("/budgets/one/archive/"))
    assert "Archive One?" in page and "you can restore it" in page
    assert Budget.objects.get(slug="one").status == "active"
    answer = admin_client.post("/budgets/one/archive/", {"reason": "Over"}, follow=True)
    assert "One is archived." in text(answer) and f"/budgets/one/undo/{last_change(three[0]).pk}/" in text(answer)
    listed = text(admin_client.get("/budgets/?status=archived"))
    assert "1 archived budget" in listed and "/budgets/one/restore/" in listed and "One" in listed
    assert "One" not in [row.name for row in admin_client.get("/budgets/").context["rows"]]
    assert "It counts and limits nothing." in text(admin_client.get("/budgets/one/"))
    assert admin_client.get("/budgets/one/archive/").status_code == 404
    back = admin_client.post("/budgets/one/restore/", follow=True)
    assert "One is back." in text(back) and Budget.objects.get(slug="one").status == "active"
    entry = AuditEntry.objects.get(act="archived")
    assert entry.reason == "Over"


def test_a_duplicate_begins_as_the_other_stands(admin_client, three):
    Budget.objects.filter(slug="one").update(scope={"model": "gpt-5"}, thresholds=[70], pace="working_days")
    form = admin_client.get("/budgets/new/?copy=one").context["form"].typed
    assert (form["name"], form["covers_0"], form["value_0"], form["amount"], form["thresholds"], form["pace"]) == (
        "Copy of One", "model", "gpt-5", "100", "70", "working_days",
    )  # fmt: skip
    answer = admin_client.post("/budgets/new/", form)
    assert answer["Location"] == "/budgets/copy-of-one/"
    assert admin_client.get("/budgets/new/?copy=nothing").status_code == 404
    assert admin_client.get("/budgets/new/?copy=%00").status_code == 404


def test_the_owner_is_chosen_by_name_and_kept_when_gone(admin_client):
    ada = get_user_model().objects.create_user("ada", first_name="Ada", last_name="Byron")
    for typed in ("ada", "Ada Byron", "ADA"):
        admin_client.post("/budgets/new/", TYPED | {"owner": typed, "name": f"Of {typed}"})
    assert set(Budget.objects.values_list("owner", flat=True)) == {ada.pk}
    answer = admin_client.post("/budgets/new/", TYPED | {"owner": "nobody"})
    assert answer.status_code == 422 and "There is nobody called “nobody”" in text(answer)
    get_user_model().objects.create_user("twin", first_name="Ada", last_name="Byron")
    assert "More than one person" in text(admin_client.post("/budgets/new/", TYPED | {"owner": "Ada Byron"}))
    ada.is_active = False
    ada.save()
    form = admin_client.get("/budgets/of-ada/edit/").context["form"].typed
    assert admin_client.post("/budgets/of-ada/edit/", form | {"amount": "7"}).status_code == 302
    assert Budget.objects.get(slug="of-ada").owner == ada
    admin_client.post("/budgets/of-ada/edit/", form | {"owner": "", "version": "2"})
    assert Budget.objects.get(slug="of-ada").owner is None
    assert "owner <s>Ada Byron</s> to <b>none</b>" in text(admin_client.get("/budgets/of-ada/"))


def test_an_amount_below_what_is_spent_is_saved_and_told(admin_client, three):
    form = admin_client.get("/budgets/three/edit/").context["form"].typed
    BudgetState.objects.filter(budget__slug="three").delete()
    state = three[2]
    from budgets.limits.evaluate import evaluate_due
    from budgets.tests.made import charge

    charge(state, 150 * NANO, timezone.now())
    evaluate_due()
    answer = admin_client.post("/budgets/three/edit/", form | {"amount": "120"}, follow=True)
    assert "$150 is already spent, so it has run out." in text(answer)


def test_several_are_previewed_confirmed_with_a_reason_and_undone(admin_client, three):
    archive_budget(ACTOR, three[1])
    picked = {"act": "change", "pick": ["one", "two", "three"]}
    first = admin_client.post("/budgets/bulk/", picked)
    assert first.status_code == 200 and "What to change" in text(first) and "Not stated yet" in text(first)
    change = picked | {"direction": "up", "percent": "10", "thresholds": "60, 90", "on_exhausted": "", "owner": ""}
    preview = admin_client.post("/budgets/bulk/", change)
    assert "2 will change, 1 will not" in text(preview) and "It is archived. Restore it first." in text(preview)
    assert "amount <s>$100</s> to <b>$110</b>" in text(preview)
    assert Budget.objects.filter(amount=110 * NANO).count() == 0
    seen = {f"seen_{one.slug}": one.edit_version for one in Budget.objects.all()}
    refused = admin_client.post("/budgets/bulk/", change | seen | {"step": "apply"})
    assert refused.status_code == 422 and "Say why" in text(refused)
    done = admin_client.post("/budgets/bulk/", change | seen | {"step": "apply", "reason": "Season"}, follow=True)
    assert "2 budgets are changed." in text(done)
    rows = list(AuditEntry.objects.filter(act="changed", reason="Season").order_by("position"))
    assert len(rows) == 2
    url = f"/budgets/bulk/undo/{rows[0].position}/{rows[1].position}/"
    assert url in text(done)
    assert set(Budget.objects.values_list("amount", flat=True)) == {110 * NANO, 100 * NANO}
    assert "2 budgets are as before." in text(admin_client.post(url, follow=True))
    assert set(Budget.objects.values_list("amount", flat=True)) == {100 * NANO}
    assert "Nothing was undone." in text(admin_client.post(url, follow=True))


@pytest.mark.parametrize(("act", "status"), [("pause", "paused"), ("archive", "archived")])
def test_all_that_the_filters_find_are_turned(admin_client, three, act, status):
    seen = {f"seen_{one.slug}": one.edit_version for one in three}
    preview = admin_client.post("/budgets/bulk/", {"act": act, "all": "1", "status": "over"})
    assert "1 will change" in text(preview) and "Three" in text(preview)
    admin_client.post("/budgets/bulk/", seen | {"act": act, "pick": ["one", "three"], "step": "apply", "reason": "x"})
    assert dict(Budget.objects.values_list("slug", "status")) == {"one": status, "two": "active", "three": status}


def test_what_was_changed_meanwhile_is_shown_anew(admin_client, three):
    seen = {f"seen_{one.slug}": one.edit_version for one in three}
    admin_client.post("/budgets/one/pause/")
    admin_client.post("/budgets/one/resume/")
    act = {"act": "pause", "pick": ["one", "two"], "step": "apply", "reason": "x"}
    answer = admin_client.post("/budgets/bulk/", seen | act)
    assert answer.status_code == 409 and "Somebody changed “One” meanwhile." in text(answer)
    assert Budget.objects.get(slug="two").status == "active"


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"act": "pause"}, "at least one budget"),
        ({"act": "explode", "pick": "one"}, "Choose what to do"),
        ({"act": "change", "pick": "one", "percent": "-1", "direction": "up"}, "above zero"),
        ({"act": "change", "pick": "one", "percent": "lots", "direction": "up"}, "Write a percent like 10 or 7.5."),
        ({"act": "change", "pick": "one", "percent": "10"}, "whether to raise or to lower"),
        ({"act": "change", "pick": "one", "percent": "", "direction": "up"}, "by how many percent"),
        ({"act": "change", "pick": "one", "percent": "", "thresholds": "half"}, "Write whole percents"),
        ({"act": "change", "pick": "one", "percent": "", "owner": "nobody"}, "nobody called “nobody”"),
        ({"act": "change", "pick": "one", "percent": "", "on_exhausted": "throttle"}, "how many calls a minute"),
        ({"act": "change", "pick": "one", "percent": ""}, "Say what to change"),
        ({"act": "change", "pick": "one", "percent": "99999", "direction": "up"}, "no more than"),
        ({"act": "pause", "pick": ["\0", "x" * 999]}, "at least one budget"),
    ],
)
def test_bulk_acts_that_make_no_sense_get_a_sentence(admin_client, three, sent, says):
    answer = admin_client.post("/budgets/bulk/", sent)
    assert answer.status_code == 422
    assert says in text(answer)


def test_nobody_changes_anything_without_the_right(client, three):
    vera = viewer("vera")
    client.force_login(vera)
    page = text(client.get("/budgets/"))
    assert "With the chosen ones" not in page and 'type="checkbox"' not in page
    urls = ["bulk/", "bulk/undo/1/2/", "one/archive/", "one/restore/"]
    assert [client.post(f"/budgets/{url}").status_code for url in urls] == [403] * 4
    vera.memberships.create(role="finance")
    assert "With the chosen ones" in text(client.get("/budgets/"))


def test_the_list_and_its_csv_take_the_same_filters(admin_client, three):
    a_budget(5, "Later", period="fixed", starts_on=timezone.now().date() + timedelta(days=5),
             ends_on=timezone.now().date() + timedelta(days=9))  # fmt: skip
    archive_budget(ACTOR, three[0])
    owner = get_user_model().objects.create_user("ada")
    Budget.objects.filter(slug="two").update(owner=owner, scope={"model": "gpt-5"})

    def both(query: str) -> tuple[set[str], set[str]]:
        page = admin_client.get(f"/budgets/?{query}").context
        shown = {row.name for row in page["rows"]} | {one["name"] for one in page["others"]}
        sheet = admin_client.get(f"/export/budgets.csv?{query}").getvalue().decode()
        return shown, {row["budget"] for row in csv.DictReader(io.StringIO(sheet))}

    assert both("") == ({"Two", "Three", "Later"},) * 2
    assert both("status=archived") == ({"One"},) * 2
    assert both("status=idle") == ({"Later"},) * 2
    assert both("status=over") == ({"Three"},) * 2
    assert both("owner=ada") == both("covers=model") == both("q=gpt") == ({"Two"},) * 2
    assert both("team=none") == (set(), set())
    page = text(admin_client.get("/budgets/?status=idle"))
    assert "Starts on" in page
    assert "No budget fits these filters." in text(admin_client.get("/budgets/?team=none"))
    assert "cannot cover “planet”" in text(admin_client.get("/budgets/?covers=planet"))


def test_statements_are_as_many_for_any_number(admin_client):
    def count() -> list[int]:
        found = []
        for url in ("/budgets/", "/budgets/?q=b&status=ok", "/budgets/?status=archived", "/budgets/?status=idle"):
            with CaptureQueriesContext(connection) as queries:
                assert admin_client.get(url).status_code == 200
            found.append(len(queries))
        return found

    running("B0")
    archive_budget(ACTOR, running("Gone 0"))
    a_budget(5, "Idle 0")
    admin_client.get("/budgets/")
    few = count()
    for n in range(1, 8):
        running(f"B{n}")
        archive_budget(ACTOR, running(f"Gone {n}"))
        a_budget(5, f"Idle {n}")
    assert count() == few and max(few) <= 14


def test_a_daily_budgets_total_begins_anew_each_day(admin_client):
    from budgets.limits.evaluate import evaluate_due
    from budgets.tests.made import charge

    now = timezone.now()
    budget = a_budget(100, "Daily", now, metric="calls", period="day")
    Budget.objects.filter(pk=budget.pk).update(created_at=now - timedelta(days=2))
    for days in (0, 1):
        charge(budget, 10, now - timedelta(days=days))
    evaluate_due()
    sheet = admin_client.get("/export/budgets/daily.csv").getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert all(row["used"] == row["running_total"] for row in rows)
    # Nothing of days before it was set; it was idle on the first.
    assert [row["used"] for row in sorted(rows, key=lambda row: row["day"])] == ["0", "10", "10"]


def test_the_newest_change_can_be_undone_from_the_page(admin_client, three):
    admin_client.post("/budgets/one/pause/")
    page = text(admin_client.get("/budgets/one/"))
    entry = last_change(three[0])
    assert page.count("Undo this change") == 1 and f"/budgets/one/undo/{entry.pk}/" in page
    assert f"?object=budgets.budget:{three[0].pk}" in page
