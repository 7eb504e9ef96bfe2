"""How values look: on a page, and exactly, in files. Money in the currency that is shown; no queries."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from budgets.pages.amounts import cents, per_unit, short_count, whole
from budgets.pages.csv import exact
from reports.figures.meaning import EACH, MINUTES, MONEY, PLAIN, RATIO, SHARE, TIMES, TOKENS

NOT_SAID = "–"
# Units of tables: `cents` is spend, whose None is "no price yet"; `earned` other money; `change` words, maybe none.
COUNT, CENTS, EARNED, WORDS, CHANGE = "count", "cents", "earned", "words", "change"
MILLIONTH = Decimal("0.000001")
HUNDREDTH = Decimal("0.01")
WHOLE = {MONEY: whole, CENTS: cents, EARNED: cents, COUNT: short_count, TOKENS: short_count}
FORMS = {RATIO: "{} to 1", MINUTES: "{} min", PLAIN: "{}", TIMES: "{}×"}
MONIES = frozenset({EACH, MONEY, CENTS, EARNED})
TEXTS = frozenset({WORDS, CHANGE})


def decimal(value: Fraction, places: Decimal, how: str = ROUND_HALF_UP) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(places, how)


def share_words(value: Fraction) -> str:
    """ "12.5%"; "under 0.1%" for what would round to nothing; "over 99.9%" for what is not all."""
    percent = decimal(value * 100, Decimal("0.1"))
    if value and not percent:
        return "under 0.1%" if value > 0 else "−0.1% to 0%"
    if percent == 100 and value < 1:
        return "over 99.9%"
    return f"{percent.normalize():f}%".replace("-", "−")


def shown(value: Any, unit: str) -> str:
    """For people; "–" for what cannot be said."""
    if value is None or value == "":
        return "no price yet" if unit == CENTS else NOT_SAID
    if unit in TEXTS:
        return str(value)
    number = Fraction(value)
    if unit == EACH:
        return per_unit(number.numerator, number.denominator)
    if unit == SHARE:
        return share_words(number)
    if unit in WHOLE:
        return WHOLE[unit](round(number))
    return FORMS[unit].format(f"{decimal(number, HUNDREDTH):,}".replace("-", "−"))


def in_file(value: Any, unit: str) -> str | int | None:
    """For CSV and JSON: money exactly, in the currency shown; counts whole; the rest to six decimals; None stays."""
    if value is None:
        return None
    if unit in TEXTS:
        return str(value)
    number = Fraction(value)
    if unit in MONIES:
        return exact(round(number))
    if unit == COUNT:
        return int(number)
    return f"{decimal(number, MILLIONTH, ROUND_HALF_EVEN):f}"


def change_words(now: Fraction | None, then: Fraction | None) -> str:
    """ "12% more", "3% less", "the same"; "" where there is nothing to compare."""
    if now is None or then is None or then <= 0:
        return ""
    percent = round((now - then) / then * 100)
    if percent == 0:
        return "about the same" if now != then else "the same"
    return f"{abs(percent):,}% {'more' if percent > 0 else 'less'}"
