"""Discounts: exact arithmetic, the list before and after, one transaction, own prices stay, undo of all or none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import AuditEntry
from budgets.organisation.configuration import current_generation
from budgets.tests.made import at_once
from usage.models import PriceEntry
from usage.prices import book
from usage.prices.discount import Discount, apply_discount, digest, discounted, lines, undo_discount
from usage.prices.overrides import create_override
from usage.prices.seed import SEED_ORIGIN

ACTOR = Actor.command("test")
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def published(model: str, **values: Any) -> PriceEntry:
    fields = {"valid_from": datetime(2000, 1, 1, tzinfo=UTC), "input": Decimal("2.5"), "output": Decimal(10), **values}
    return PriceEntry.objects.create(
        provider="acme", model=model, origin=SEED_ORIGIN, origin_note="genai-prices 0.2.3", **fields
    )


def agreed(percent: str = "20", **values: Any) -> Discount:
    fields = {"provider": "acme", "model": "", "service_tier": "", "starts": START, "ends": None, **values}
    return Discount(percent=Decimal(percent), **fields)


def price_at(model: str, when: datetime = NOW) -> Any:
    return book.current(current_generation()).find("acme", model, "standard", when)


def test_every_price_is_lowered_exactly_and_nothing_else_changes() -> None:
    values = {
        "input": Decimal("2.5"), "cached_input": None, "cache_write": Decimal(0), "output": Decimal("0.00000003"),
        "units": {"web_search": "0.01"},
        "steps": [{"from_input_tokens": 200001, "input": "6", "units": {"web_search": "1"}}],
        "hours": [{"from": "01:00", "to": "04:00", "weekdays": [1], "output": "0.3",
                   "steps": [{"from_input_tokens": 9, "input": "1"}]}],
    }  # fmt: skip
    assert discounted(values, Decimal("12.5")) == {
        "input": Decimal("2.1875"), "cached_input": None, "cache_write": Decimal(0), "output": Decimal("0.00000003"),
        "units": {"web_search": "0.00875"},
        "steps": [{"from_input_tokens": 200001, "input": "5.25", "units": {"web_search": "0.875"}}],
        "hours": [{"from": "01:00", "to": "04:00", "weekdays": [1], "output": "0.2625",
                   "steps": [{"from_input_tokens": 9, "input": "0.875"}]}],
    }  # fmt: skip
    assert discounted(values, Decimal(100))["input"] == 0
    assert values["steps"] == [{"from_input_tokens": 200001, "input": "6", "units": {"web_search": "1"}}]


@pytest.mark.django_db
def test_all_models_of_a_provider_follow_the_dates_of_what_is_published() -> None:
    change = START + timedelta(days=10)
    first = published("a", valid_to=change)
    second = published("a", valid_from=change, input=Decimal(5))
    published("b", service_tier="batch")
    published("old", valid_to=START - timedelta(days=1))
    found = lines(agreed())
    assert [(one.published.model, one.values["valid_from"], one.values["valid_to"], one.values["input"])
            for one in found] == [
        ("a", START, change, Decimal(2)), ("a", change, None, Decimal(4)), ("b", START, None, Decimal(2)),
    ]  # fmt: skip
    made = apply_discount(ACTOR, agreed(), digest(found), "Contract 17")
    assert [one.origin_note for one in made[:2]] == [
        f"20% off price {first.pk} of genai-prices 0.2.3", f"20% off price {second.pk} of genai-prices 0.2.3",
    ]  # fmt: skip
    assert price_at("a", START + timedelta(days=1)).rates.input == 200_000_000
    assert price_at("a").rates.input == 400_000_000
    assert price_at("a", START - timedelta(seconds=1)).rates.input == 250_000_000
    acts = AuditEntry.objects.filter(object_type="usage.priceentry", act="created", reason="Contract 17")
    assert acts.count() == 3

    assert undo_discount(ACTOR, made[0].pk, made[-1].pk) == 3
    assert price_at("a").rates.input == 500_000_000
    with pytest.raises(Problem, match="Nothing was undone"):
        undo_discount(ACTOR, made[0].pk, made[-1].pk)
    with pytest.raises(Problem, match="no such discount"):
        undo_discount(ACTOR, first.pk, first.pk)


@pytest.mark.django_db
def test_a_price_that_was_set_here_stays_and_a_stale_list_changes_nothing() -> None:
    published("a")
    published("b")
    own = {"provider": "acme", "model": "a", "service_tier": "standard", "valid_from": START, "valid_to": None}
    seen = digest(lines(agreed()))
    mine = create_override(ACTOR, {**own, "input": Decimal(1), "output": Decimal(1)})
    with pytest.raises(Problem, match="A price changed since"):
        apply_discount(ACTOR, agreed(), seen)
    found = lines(agreed())
    assert [one.kept and one.kept.pk for one in found] == [mine.pk, None]
    assert [one.model for one in apply_discount(ACTOR, agreed(), digest(found))] == ["b"]
    with pytest.raises(Problem, match="set here already"):
        apply_discount(ACTOR, agreed(), digest(lines(agreed())))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"model": "nobody"}, "model"),
        ({"percent": "0"}, "percent"),
        ({"percent": "101"}, "percent"),
        ({"ends": START}, "ends_on"),
    ],
)
def test_what_cannot_be_lowered_is_refused(values: dict[str, Any], field: str) -> None:
    published("a")
    with pytest.raises(Problem) as told:
        lines(agreed(**values))
    assert field in told.value.extra["errors"]


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_lower_it_once() -> None:
    published("a")
    seen = digest(lines(agreed()))

    def act() -> str:
        try:
            apply_discount(ACTOR, agreed(), seen)
        except Problem as problem:
            return problem.code
        return "done"

    assert sorted(map(str, at_once(act, act))) == ["done", "stale-preview"]
    assert PriceEntry.objects.filter(origin="override").count() == 1


@pytest.mark.django_db
def test_the_page_shows_first_confirms_and_takes_back(client: Client) -> None:
    published("a", steps=[{"from_input_tokens": 200001, "input": "6"}])
    client.force_login(User.objects.create_superuser("lena", password="x"))
    typed = {"provider": "acme", "model": "", "service_tier": "", "percent": "20", "first_day": "2026-11-01",
             "last_day": "", "reason": "Contract 17"}  # fmt: skip
    assert "Choose one" in client.get("/settings/prices/discount/?provider=acme").content.decode()
    wrong = client.post("/settings/prices/discount/", {**typed, "percent": "200"})
    assert (wrong.status_code, "at most 100" in wrong.content.decode()) == (422, True)
    assert client.post("/settings/prices/discount/", {**typed, "model": "nobody"}).status_code == 422
    backwards = client.post("/settings/prices/discount/", {**typed, "last_day": "2026-10-01"})
    assert "must not come before" in backwards.content.decode()

    page = client.post("/settings/prices/discount/", typed)
    assert page.status_code == 200
    words = " ".join(page.content.decode().split())
    assert "1 price would be lowered" in words
    assert "Input <s>$2.50</s> <b>$2.00</b>" in words
    assert "the whole call: input $4.80" in words
    assert not PriceEntry.objects.filter(origin="override").exists()
    stale = client.post("/settings/prices/discount/", {**typed, "confirm": "1", "seen": "x"})
    assert stale.status_code == 409
    confirmed = {**typed, "confirm": "1", "seen": page.context["seen"]}
    done = client.post("/settings/prices/discount/", confirmed, follow=True)
    toast = list(done.context["messages"])[-1]
    assert str(toast).startswith("20% off 1 price of acme.")
    assert price_at("a").rates.input == 200_000_000
    back = client.post(toast.extra_tags, follow=True)
    assert "taken back" in back.content.decode()
    assert price_at("a").rates.input == 250_000_000
