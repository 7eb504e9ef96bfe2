"""Amounts, moments and standings: what people read and write. No database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from budgets.pages import amounts, moments, pace
from budgets.pages.csv import exact, safe
from budgets.pages.standing import Standing

NANO = amounts.NANO


@pytest.mark.parametrize(
    ("text", "metric", "value"),
    [
        ("1,500", "money", 1500 * NANO),
        ("$1500.50", "money", 1500 * NANO + NANO // 2),
        (" 12 000 ", "money", 12_000 * NANO),
        ("0.01", "money", NANO // 100),
        ("2M", "tokens", 2_000_000),
        ("1.5k", "calls", 1_500),
        ("1,234,567", "tokens", 1_234_567),
    ],
)
def test_amounts_are_read_as_people_write_them(text, metric, value):
    assert amounts.written(text, metric) == value


@pytest.mark.parametrize(
    ("text", "metric", "sentence"),
    [
        ("", "money", "Enter an amount."),
        ("$", "money", "Enter an amount."),
        ("1500,50", "money", "Write the amount like 1,500 or 1500.50."),
        ("1,50", "money", "Write the amount like 1,500 or 1500.50."),
        ("-5", "money", "Write the amount like 1,500 or 1500.50."),
        ("1e5", "money", "Write the amount like 1,500 or 1500.50."),
        ("٣", "money", "Write the amount like 1,500 or 1500.50."),
        ("0", "money", "Enter an amount above zero."),
        ("1.005", "money", "Write at most two digits after the point."),
        ("1.5", "calls", "Enter a whole number of calls."),
        ("9" * 30, "money", "That is more than TokenOps can count. Enter a smaller amount."),
    ],
)
def test_what_cannot_be_an_amount_gets_a_sentence(text, metric, sentence):
    with pytest.raises(ValueError) as error:
        amounts.written(text, metric)
    assert str(error.value) == sentence


@pytest.mark.parametrize("nano", [1500 * NANO, 1500 * NANO + NANO // 2, NANO // 100, 10**18])
def test_what_stands_in_a_field_is_read_back_as_the_same(nano):
    assert amounts.written(amounts.typed(nano, "money"), "money") == nano


@pytest.mark.parametrize(
    ("nano", "tile", "table"),
    [
        (18_420 * NANO + NANO // 2, "$18,421", "$18,420.50"),
        (9 * NANO + NANO // 3, "$9.33", "$9.33"),
        (0, "$0.00", "$0.00"),
        (3, "under $0.01", "under $0.01"),
        (-12 * NANO, "−\u2060$12", "−\u2060$12.00"),
    ],
)
def test_money_is_rounded_only_where_it_is_shown(nano, tile, table):
    assert (amounts.whole(nano), amounts.cents(nano)) == (tile, table)


def test_what_is_less_than_nothing_has_its_sign_before_the_symbol():
    assert amounts.signed(Decimal("-1234.50")) == "−\u2060$1,234.50"
    assert (amounts.plain_cents(-5 * NANO), amounts.plain_cents(-3)) == ("−5.00", "0.00")
    assert (amounts.in_dollars(-NANO // 2), amounts.in_dollars(-NANO // 2, 6)) == ("−\u2060$0.50", "−\u2060$0.500000")


def test_a_price_per_call_has_three_decimals_and_none_where_nothing_was_counted():
    assert amounts.per_unit(NANO, 3) == "$0.333"
    assert amounts.per_unit(5, 1) == "under $0.001"
    assert amounts.per_unit(5, 0) == ""


def test_counts_with_their_unit():
    assert amounts.amount(1_200_000, "tokens") == "1.2M tokens"
    assert amounts.amount(2_000_000, "tokens") == "2M tokens"
    assert amounts.amount(1_200_000_000_000, "tokens") == "1.2T tokens"
    assert amounts.amount(1, "calls") == "1 call"
    assert amounts.written("1.2T", "tokens") == 1_200_000_000_000


def test_csv_amounts_are_exact_and_text_is_no_formula():
    assert [exact(n) for n in (0, NANO, NANO + 1, -NANO // 2)] == ["0.00", "1.00", "1.000000001", "-0.50"]
    assert safe("=1+1") == "'=1+1"
    assert safe("@cmd") == "'@cmd"
    assert safe("gpt-4.1") == "gpt-4.1"


def test_spans_and_gaps_in_words():
    assert moments.span(date(2026, 11, 1), date(2026, 11, 18)) == "1–18 Nov"
    assert moments.span(date(2026, 9, 28), date(2026, 10, 3)) == "28 Sep–3 Oct"
    assert moments.span_year(date(2025, 12, 28), date(2026, 1, 3)) == "28 Dec 2025–3 Jan 2026"
    assert moments.ago(timedelta(seconds=61)) == "1 minute ago"
    assert moments.ago(timedelta(seconds=-3)) == "just now"


def test_an_even_pace_goes_on_as_since_the_first_use():
    # Ten of thirty days passed, 100 spent in them: 300 by the end.
    assert pace.landing(100, Fraction(1, 3), Fraction(0)) == 300
    # The first use came on day five: 100 in five days, twenty to come.
    assert pace.landing(100, Fraction(1, 3), Fraction(1, 6)) == 500
    assert pace.landing(100, Fraction(1, 6), Fraction(1, 6)) is None


def test_a_pace_needs_a_day_or_an_eighth_of_a_short_period():
    start = datetime(2026, 11, 1, tzinfo=UTC)
    month, day = start + timedelta(days=30), start + timedelta(days=1)
    assert not pace.seen_enough(start, start, month, start + timedelta(hours=23))
    assert pace.seen_enough(start, start, month, start + timedelta(hours=24))
    assert not pace.seen_enough(start + timedelta(days=9), start, month, start + timedelta(days=9, hours=2))
    assert pace.seen_enough(start, start, day, start + timedelta(hours=3))


def standing(spent=50, limit=100, landing=90, **more) -> Standing:
    fields = {"is_paused": False, "is_over": spent >= limit, "action": "block", "metric": "money", "period": "month"}
    fields |= {"crossed": 0, "share": Fraction(1, 2), "calls": 5} | more
    return Standing(
        budget_id=1,
        slug="ads",
        name="Ads",
        covers="Workflow Ads",
        beneath="Brand",
        is_whole_organisation=False,
        first=date(2026, 11, 1),
        last=date(2026, 11, 30),
        limit=limit * NANO,
        spent=spent * NANO,
        landing=None if landing is None else landing * NANO,
        **fields,
    )


@pytest.mark.parametrize(
    ("given", "words", "tone"),
    [
        ({"spent": 100, "landing": 200}, "Over", "over"),
        ({"landing": 101}, "Likely over", "over"),
        ({"landing": 100}, "Could go over", "watch"),
        ({"landing": 95}, "Could go over", "watch"),
        ({"landing": 94}, "On pace", "ok"),
        ({"landing": 96, "likely_most": 100 * NANO}, "On pace", "ok"),
        ({"landing": 70, "likely_most": 101 * NANO}, "Could go over", "watch"),
        ({"landing": 59}, "Well under", "ok"),
        ({"landing": None}, "Just started", "ok"),
        ({"landing": None, "crossed": 80, "spent": 80}, "Close to the limit", "watch"),
        ({"spent": 120, "is_paused": True}, "Paused", ""),
    ],
)
def test_status_in_words(given, words, tone):
    one = standing(**given)
    assert (one.words, one.tone) == (words, tone)


def test_a_blocked_budget_is_stopped_and_leads_nowhere():
    one = standing(spent=101, landing=200)
    assert (one.landing_words, one.excess_words, one.pale) == ("Stopped", "until 1 Dec", "")
    assert one.aftermath == "Its calls are stopped until 1 Dec."
    told = standing(spent=101, landing=200, action="alert")
    assert told.aftermath == "Nothing is stopped: this budget only tells people."
    assert told.landing_words == "$200"


def test_percents_are_rounded_down_and_bars_stay_in_their_track():
    one = standing(spent=999, limit=1000, landing=5000)
    assert one.percent == 99
    assert (one.fill, one.pale) == ("99.9%", "100.0%")
    assert standing(spent=-3).fill == "0.0%"


def test_the_riskiest_come_first_and_the_paused_last():
    over, ahead, calm = standing(spent=100), standing(landing=140), standing(landing=60)
    paused = standing(spent=300, is_paused=True)
    assert sorted([calm, paused, ahead, over], key=lambda one: one.risk) == [over, ahead, calm, paused]
