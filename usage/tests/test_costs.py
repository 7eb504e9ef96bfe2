"""Other AI costs: spread exactly, converted at a dated rate, kept in history, out of the ledger."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from budgets.audit.newest import newest_entry
from budgets.currency.rates import RateValues, RefusedRate
from budgets.models import NANO, AuditEntry, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from usage.costs import edit
from usage.costs.figures import beside, during, months_of, other_costs_by_team_month
from usage.costs.listing import chosen
from usage.costs.spread import DAY, by_month, following, until, within
from usage.costs.values import CostValues
from usage.models import OtherCost
from usage.rates import change

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
SEATS = CostValues("Seats", 1000 * NANO, *NOVEMBER, kind="seats")


def euro(day: str = "2026-11-01", per_dollar: str = "0.92") -> RateValues:
    return RateValues("EUR", date.fromisoformat(day), Decimal(per_dollar), "ECB")


@pytest.mark.parametrize("amount", [1, 29, 30, 1000 * NANO, 10**18, -1, -31, -1000 * NANO - 7])
def test_shares_of_days_and_months_add_up_to_the_amount(amount):
    first, last = date(2026, 1, 30), date(2026, 4, 2)
    asked = [first + n * DAY for n in range((last - first).days + 1)]
    days = {day: within(amount, first, last, day, day) for day in asked}
    assert sum(days.values()) == amount
    assert max(days.values()) - min(days.values()) <= 1
    months = dict(by_month(amount, first, last, date(2000, 1, 1), date(2100, 1, 1)))
    assert sum(months.values()) == amount
    assert {month: sum(v for d, v in days.items() if d.replace(day=1) == month) for month in months} == months
    assert within(amount, first, last, date(2026, 2, 1), date(2026, 2, 10)) == sum(
        days[date(2026, 2, one)] for one in range(1, 11)
    )
    assert within(amount, first, last, date(2027, 1, 1), date(2027, 1, 2)) == 0
    assert until(amount, 63, 63) == amount


@pytest.mark.parametrize(
    ("first", "last", "months", "then"),
    [
        ("2026-11-01", "2026-11-30", 1, ("2026-12-01", "2026-12-31")),
        ("2026-01-01", "2026-01-31", 1, ("2026-02-01", "2026-02-28")),
        ("2026-11-15", "2026-12-14", 2, ("2027-01-15", "2027-02-14")),
        ("2026-01-31", "2026-01-31", 1, ("2026-02-28", "2026-02-28")),
        ("2026-11-03", "2026-11-05", 3, ("2027-02-03", "2027-02-05")),
    ],
)
def test_the_next_month_of_a_cost(first, last, months, then):
    found = following(date.fromisoformat(first), date.fromisoformat(last), months)
    assert tuple(map(str, found)) == then


@pytest.mark.django_db
def test_a_cost_is_converted_at_the_rate_of_its_first_day_and_kept_in_history():
    change.set_rate(ACTOR, euro())
    change.set_rate(ACTOR, euro("2026-11-10", "0.50"))
    (row,) = edit.create_costs(ACTOR, [replace(SEATS, currency="EUR")])
    assert row.cost == round(Decimal(1000 * NANO) / Decimal("0.92"))
    assert newest_entry(OtherCost, row.pk).after["amount"] == 1000 * NANO


@pytest.mark.django_db
def test_without_a_rate_the_sentence_says_for_when():
    change.set_rate(ACTOR, euro("2026-11-04"))
    with pytest.raises(edit.InvalidCost) as told:
        edit.create_costs(ACTOR, [replace(SEATS, currency="EUR", first_day=date(2026, 11, 3))])
    assert told.value.problems == {"currency": "There is no rate for EUR on 3 Nov 2026. Add one first."}
    assert not OtherCost.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "  "}, "name"),
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 10**18 + 1}, "amount"),
        ({"currency": "XXY"}, "currency"),
        ({"kind": "lunch"}, "kind"),
        ({"last_day": date(2026, 10, 1)}, "last_day"),
        ({"last_day": date(2046, 10, 1)}, "last_day"),
        ({"first_day": date(1999, 10, 1)}, "first_day"),
        ({"note": "x" * 501}, "note"),
    ],
)
def test_what_a_cost_may_not_be(changed, field):
    with pytest.raises(edit.InvalidCost) as told:
        edit.create_costs(ACTOR, [replace(SEATS, **changed)])
    assert field in told.value.problems


@pytest.mark.django_db
def test_credits_are_below_zero_however_written():
    rows = edit.create_costs(ACTOR, [replace(SEATS, kind="credit"), replace(SEATS, kind="credit", amount=-5 * NANO)])
    assert [row.cost for row in rows] == [-1000 * NANO, -5 * NANO]
    assert beside(*NOVEMBER).total == -1005 * NANO


@pytest.mark.django_db
def test_change_remove_and_undo():
    (row,) = edit.create_costs(ACTOR, [SEATS])
    edit.change_cost(ACTOR, row, replace(SEATS, amount=7 * NANO))
    changed = newest_entry(OtherCost, row.pk)
    edit.remove_cost(ACTOR, row)
    assert beside(*NOVEMBER).count == 0
    with pytest.raises(edit.RefusedCost):
        edit.undo(ACTOR, [changed])
    with pytest.raises(edit.RefusedCost):
        edit.change_cost(ACTOR, row, SEATS)
    edit.undo(ACTOR, [newest_entry(OtherCost, row.pk)])
    assert beside(*NOVEMBER).total == 7 * NANO
    edit.undo(ACTOR, [newest_entry(OtherCost, row.pk)])  # the restoring itself: out again
    assert beside(*NOVEMBER).count == 0
    assert [one.act for one in AuditEntry.objects.order_by("pk")] == [
        "created", "changed", "removed", "restored", "removed",
    ]  # fmt: skip


@pytest.mark.django_db
def test_closed_days_keep_their_costs():
    (row,) = edit.create_costs(ACTOR, [SEATS])
    Organisation.objects.update(closed_before=date(2026, 11, 2))
    for act in (
        lambda: edit.create_costs(ACTOR, [SEATS]),
        lambda: edit.change_cost(ACTOR, row, replace(SEATS, name="Other", first_day=date(2026, 11, 5))),
        lambda: edit.remove_cost(ACTOR, row),
        lambda: edit.undo(ACTOR, [newest_entry(OtherCost, row.pk)]),
    ):
        with pytest.raises(edit.InvalidCost) as told:
            act()
        assert "Days before 2 Nov 2026 are closed" in told.value.problems["first_day"]


@pytest.mark.django_db
def test_a_changed_rate_converts_costs_anew_but_not_those_of_closed_days():
    rate, _ = change.set_rate(ACTOR, euro("2026-01-01"))
    old, new = edit.create_costs(
        ACTOR,
        [replace(SEATS, currency="EUR", first_day=date(2026, 9, 1)), replace(SEATS, currency="EUR")],
    )
    Organisation.objects.update(closed_before=date(2026, 10, 1))
    _, converted = change.set_rate(ACTOR, euro("2026-01-01", "0.5"), rate)
    assert converted == 1
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.cost, new.cost) == (round(Decimal(1000 * NANO) / Decimal("0.92")), 2000 * NANO)
    assert newest_entry(OtherCost, new.pk).act == "converted"
    with pytest.raises(RefusedRate, match="“Seats”"):
        change.remove_rate(ACTOR, rate)
    assert change.undo_rate(ACTOR, newest_entry(type(rate), rate.pk)) == 1
    new.refresh_from_db()
    assert new.cost == old.cost


@pytest.mark.django_db
def test_figures_by_team_month_and_day_agree_and_know_scopes():
    team = Team.objects.create(slug="brand", name="Brand")
    workflow = Workflow.objects.create(slug="briefs", name="Briefs", team=team)
    edit.create_costs(
        ACTOR,
        [
            SEATS,
            replace(SEATS, team_id=team.pk, amount=31, last_day=date(2026, 12, 1)),
            replace(SEATS, workflow_id=workflow.pk, amount=10, kind="tax"),
        ],
    )
    months = other_costs_by_team_month(date(2026, 11, 1), date(2026, 12, 31))
    assert months == {
        ("", date(2026, 11, 1)): 1000 * NANO, ("brand", date(2026, 11, 1)): 40, ("brand", date(2026, 12, 1)): 1,
    }  # fmt: skip
    assert beside(*NOVEMBER, {"team": "brand"}).total == 40
    assert beside(*NOVEMBER, {"workflow": "briefs"}).by_kind == (("tax", 10),)
    assert beside(*NOVEMBER, {"model": "gpt"}) is None


@pytest.mark.django_db
def test_a_merged_workflows_cost_counts_for_the_team_of_the_one_it_counts_under():
    brand, other = (Team.objects.create(slug=slug, name=slug.title()) for slug in ("brand", "other"))
    target = Workflow.objects.create(slug="briefs", name="Briefs", team=brand)
    alias = Workflow.objects.create(slug="briefs-2", name="Briefs 2", team=other, status="merged", merged_into=target)
    edit.create_costs(ACTOR, [replace(SEATS, workflow_id=alias.pk)])
    assert other_costs_by_team_month(*NOVEMBER) == {("brand", date(2026, 11, 1)): 1000 * NANO}
    assert beside(*NOVEMBER, {"team": "brand"}).total == beside(*NOVEMBER, {"workflow": "briefs"}).total == 1000 * NANO
    assert beside(*NOVEMBER, {"team": "other"}).total == 0
    for team, count in {"brand": 1, "other": 0}.items():
        wanted = chosen({"team": team}, Organisation.get())
        assert (wanted.rows().count(), len(months_of(wanted.rows(), *NOVEMBER))) == (count, count)


@pytest.mark.django_db
def test_a_team_with_costs_is_not_deleted(client):
    team = Team.objects.create(slug="growth", name="Growth")
    edit.create_costs(ACTOR, [replace(SEATS, team_id=team.pk)])
    client.force_login(User.objects.create_superuser("boss"))
    page = client.post("/settings/teams/-/growth/delete/", follow=True)
    assert "Growth cannot be deleted: other costs are kept under it." in page.content.decode()
    assert Team.objects.filter(pk=team.pk).exists() and not AuditEntry.objects.filter(act="deleted").exists()


def test_repeating_needs_days_within_a_month():
    with pytest.raises(edit.InvalidCost) as told:
        edit.repeated(replace(SEATS, last_day=date(2026, 12, 31)), 2)
    assert "fit into one" in told.value.problems["months"]
    days = [(str(one.first_day), str(one.last_day)) for one in edit.repeated(SEATS, 3)]
    assert days == [("2026-11-01", "2026-11-30"), ("2026-12-01", "2026-12-31"), ("2027-01-01", "2027-01-31")]
    with pytest.raises(edit.InvalidCost):
        edit.repeated(replace(SEATS, first_day=date(2100, 12, 1), last_day=date(2100, 12, 31)), 2)


@pytest.mark.django_db
def test_the_database_spreads_over_months_as_python_does():
    chance = random.Random(7)
    many = [
        replace(SEATS, name=f"C{n}", amount=chance.choice([1, -1]) * chance.randrange(1, 10**12), kind="credit")
        for n in range(40)
    ]
    starts = [date(2024, 1, 1) + timedelta(days=chance.randrange(900)) for _ in many]
    many = [
        replace(
            one, kind="credit" if one.amount < 0 else "tax", first_day=day, last_day=day + chance.randrange(400) * DAY
        )
        for one, day in zip(many, starts, strict=True)
    ]
    rows = edit.create_costs(ACTOR, many)
    since, to = date(2024, 6, 10), date(2025, 9, 20)
    wanted: dict[date, int] = defaultdict(int)
    for row in rows:
        for month, share in by_month(row.cost, row.first_day, row.last_day, since, to):
            wanted[month] += share
    assert months_of(during(since, to), since, to) == dict(wanted)
