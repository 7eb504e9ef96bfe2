"""What caches spared: exact values by hand, steps and hours, corrections, withdrawals."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.audit.record import Actor
from usage.ingest.decode import decode
from usage.ingest.write import Intake
from usage.ledger.check import check_ledger
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import IngestBatch, LedgerEntry, PriceEntry, TokenDay
from usage.prices import book as price_book
from usage.prices.price import price_from
from usage.prices.reprice import carry_out, confirm, preview
from usage.prices.spared import spared_by_caches
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, a_sender, an_event, price_the_model, take

ME = Actor.command("test")
DAY = timedelta(days=1)
tokens = st.integers(min_value=0, max_value=3_000_000)
rate = st.decimals(min_value=0, max_value=10_000, places=8, allow_nan=False)


def a_price(**values: Any) -> Any:
    return price_from(1, "acme", "m", "standard", values)


@pytest.mark.parametrize(
    ("cached", "avoided_in", "avoided_out", "nano"),
    [
        (0, 0, 0, None),
        (1000, 0, 0, 1_800_000),  # 1,000 x (2,000 - 200)
        (0, 500, 0, 1_000_000),
        (0, 0, 300, 3_000_000),
        (1000, 500, 300, 5_800_000),
    ],
)
def test_each_part_at_the_price_of_its_kind(cached, avoided_in, avoided_out, nano):
    price = a_price(input=2, cached_input="0.2", output=10)
    assert spared_by_caches(price, 1000, cached, avoided_in, avoided_out) == nano


@given(rates=st.tuples(rate, rate, rate), counts=st.tuples(tokens, tokens, tokens))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exact_and_rounded_once_half_to_even(rates, counts):
    price = a_price(input=rates[0], cached_input=rates[1], output=rates[2])
    plain, cached, out = (Fraction(one) * 1000 for one in rates)
    exact = counts[0] * (plain - cached) + counts[1] * plain + counts[2] * out
    assert spared_by_caches(price, 10, *counts) == (round(exact) if any(counts) else None)


def test_a_long_call_by_the_rates_of_its_step_and_by_the_hour_it_was_made():
    steps = [{"from_input_tokens": 200_000, "input": 4, "cached_input": 1, "output": 20}]
    price = a_price(input=2, cached_input="0.5", output=10, steps=steps)
    assert spared_by_caches(price, 199_999, 1000, 10, 10) == 1000 * 1500 + 10 * 2000 + 10 * 10_000
    assert spared_by_caches(price, 200_000, 1000, 10, 10) == 1000 * 3000 + 10 * 4000 + 10 * 20_000
    nights = a_price(input=2, cached_input=1, output=10, hours=[{"from": "00:00", "to": "06:00", "input": 1.5}])
    assert spared_by_caches(nights.at(datetime(2026, 11, 2, 3, tzinfo=UTC)), 10, 1000, 0, 0) == 500_000
    assert spared_by_caches(nights.at(datetime(2026, 11, 2, 7, tzinfo=UTC)), 10, 1000, 0, 0) == 1_000_000


def test_tokens_priced_apart_are_spared_at_their_own_price():
    units = {"cached_audio_tokens": "0.000001", "input_audio_tokens": "0.000004"}
    price = a_price(input=2, cached_input=1, output=10, units=units)
    used = {"cached_audio_tokens": 400}
    assert spared_by_caches(price, 1000, 1000, 0, 0, used) == 600 * 1000 + 400 * 3000
    plain = a_price(input=2, cached_input=1, output=10, units={"cached_audio_tokens": "0.0000005"})
    assert spared_by_caches(plain, 1000, 1000, 0, 0, used) == 600 * 1000 + 400 * 1500


def test_a_cache_that_costs_more_counts_against_and_what_is_not_known_is_not_said():
    assert spared_by_caches(a_price(input=2, cached_input=3, output=10), 1000, 1000, 0, 0) == -1_000_000
    assert spared_by_caches(a_price(input=2), 1000, 1000, 0, 0) == 0, "cached ones cost the same"
    assert spared_by_caches(a_price(input=2), 1000, 0, 10, 10) is None, "what output costs is not known"
    assert spared_by_caches(a_price(output=2), 1000, 0, 10, 0) is None
    assert spared_by_caches(a_price(input=2, output=2), 1000, 0, 2**62, 0) is None, "more than the ledger holds"


def reprice() -> int:
    price_book.forget()  # prices were changed behind its back
    run = preview(ME, NOW - 90 * DAY, NOW + DAY, only_unpriced=False)
    confirm(run.pk, ME)
    return carry_out(run.pk, ME).corrected


def saved() -> int | None:
    return LedgerEntry.objects.aggregate(saved=Sum("saved"))["saved"]


@pytest.mark.django_db(transaction=True)
def test_the_ledger_keeps_it_corrects_it_and_takes_it_back():
    cached = an_event("cached", cached_input_tokens=400)
    answered = an_event(
        "answered",
        cache="response",
        input_tokens=0,
        output_tokens=0,
        avoided_input_tokens=700,
        avoided_output_tokens=30,
    )
    many = an_event("many", cached_input_tokens=400, model="no-price")
    take([cached, answered, many, an_event("plain"), an_event("unmeasured", output_tokens=None, cached_input_tokens=9)])
    assert saved() is None, "nothing has a price"
    price_the_model()
    assert reprice() == 3
    assert LedgerEntry.objects.filter(kind=1, event_id="plain").get().saved is None
    assert dict(LedgerEntry.objects.filter(kind=1, saved__isnull=False).values_list("event_id", "saved")) == {
        "cached": 400 * 1800,
        "answered": 700 * 2000 + 30 * 10_000,
    }
    PriceEntry.objects.update(output=Decimal(11))
    assert reprice() == 3, "the answered one spared more, though it cost nothing before and after"
    last = LedgerEntry.objects.filter(kind=1, event_id="answered").latest("id")
    assert (last.cost, last.saved) == (0, 30 * 1000)
    assert reprice() == 0
    fold_all()
    assert TokenDay.objects.aggregate(saved=Sum("saved"))["saved"] == saved() == 720_000 + 1_400_000 + 330_000
    ensure_open_month()
    with transaction.atomic():
        assert withdraw(list(IngestBatch.objects.order_by("id").values_list("pk", flat=True))[:1], 100).calls == 5
    fold_all()
    assert TokenDay.objects.aggregate(saved=Sum("saved"))["saved"] == saved() == 0
    assert LedgerEntry.objects.get(kind=2, event_id="cached").saved == -720_000
    assert LedgerEntry.objects.get(kind=2, event_id="plain").saved is None
    assert check_ledger() == []


@pytest.mark.django_db(transaction=True)
def test_priced_as_it_comes_in_and_an_import_of_many_calls_by_the_length_of_one():
    steps = [{"from_input_tokens": 1000, "input": "4", "cached_input": "1", "output": "20"}]
    PriceEntry.objects.filter(pk=price_the_model().pk).update(steps=steps)
    price_book.forget()
    take([an_event("one", cached_input_tokens=400)])
    tags = {"imported": "aggregate", "calls": "2"}
    body = json.dumps([an_event("of two", cached_input_tokens=400, tags=tags)]).encode()
    Intake(a_sender(), decode(body, "application/json", {}, 10), NOW, is_import=True).take()
    assert dict(LedgerEntry.objects.values_list("event_id", "saved")) == {"one": 400 * 3000, "of two": 400 * 1800}
