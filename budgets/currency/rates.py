"""Dated currency rates: set, change, remove, undo; and what an amount is in dollars on a day.

Whoever changes a rate holds the rates alone, whoever converts by one holds them shared, so that no amount is written at
a rate that has just gone. The configuration is held shared by both, before: it says which currency pages show, and
which days are closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from babel.core import get_global
from django.db import connection, transaction
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.limits.calendar import day_of
from budgets.models import AuditEntry, CurrencyRate, Organisation
from budgets.organisation.configuration import HOLD_CONFIGURATION
from budgets.pages.moments import day_year

RATES_LOCK = 7_061_010  # advisory lock number, ours by choice
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)
MOST, EIGHTH = Decimal(10) ** 10, Decimal("0.00000001")


class InvalidRate(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedRate(Exception):
    """What other things that need the rate do not allow; the message says why, for a reader."""


class NoRate(LookupError):
    """There is no rate of `currency` on `day` or before; the message is for a reader."""

    def __init__(self, currency: str, day: date) -> None:
        super().__init__(f"There is no rate for {currency} on {day_year(day)}. Add one first.")
        self.currency, self.day = currency, day


@dataclass(frozen=True, slots=True)
class RateValues:
    """`per_dollar` units of `currency` are one US dollar from `day` on. `origin`: where it is from."""

    currency: str
    day: date
    per_dollar: Decimal
    origin: str = ""

    def tidied(self) -> "RateValues":
        text = " ".join(self.origin.replace("\0", "").split())[:100]
        return RateValues(self.currency.strip().upper(), self.day, self.per_dollar, text)

    def as_json(self) -> dict[str, str]:
        return {
            "currency": self.currency,
            "day": self.day.isoformat(),
            "per_dollar": f"{self.per_dollar.normalize():f}",
            "origin": self.origin,
        }

    @classmethod
    def of_row(cls, row: CurrencyRate) -> "RateValues":
        return cls(row.currency, row.day, row.per_dollar, row.origin)

    @classmethod
    def of_json(cls, kept: dict[str, str]) -> "RateValues":
        return cls(kept["currency"], date.fromisoformat(kept["day"]), Decimal(kept["per_dollar"]), kept["origin"])


def validate(values: RateValues) -> dict[str, str]:
    """What is wrong with a rate, by field."""
    problems = {}
    if values.currency == "USD":
        problems["currency"] = "The US dollar needs no rate: the ledger is kept in it."
    elif values.currency not in get_global("all_currencies"):
        problems["currency"] = f"“{values.currency[:20]}” is no currency. Use a code such as EUR."
    if not FIRST_DAY <= values.day <= LAST_DAY:
        problems["day"] = "Choose a day between 1990 and 2100."
    rate = values.per_dollar
    if not rate.is_finite() or rate <= 0 or rate >= MOST:
        problems["per_dollar"] = "Enter how much of it one US dollar buys, for example 0.92."
    elif rate != rate.quantize(EIGHTH):
        problems["per_dollar"] = "Write at most eight digits after the point."
    return problems


@contextmanager
def changing_rates() -> Iterator[None]:
    """One transaction that changes rates and what is converted by them; may be nested."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RATES_LOCK])
        yield


@contextmanager
def holding_rates() -> Iterator[None]:
    """One transaction that converts by rates, or chooses a currency that needs one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [RATES_LOCK])
        yield


def rate_on(currency: str, day: date) -> CurrencyRate | None:
    """The newest on that day. One statement."""
    return CurrencyRate.objects.filter(currency=currency, day__lte=day).order_by("-day").first()


def in_dollars(amount: int, currency: str, day: date) -> int:
    """Nano-dollars for billionths of `currency` at the rate of `day`, rounded once, half to even. Raises NoRate."""
    if currency == "USD":
        return amount
    rate = rate_on(currency, day)
    if rate is None:
        raise NoRate(currency, day)
    return converted(amount, rate.per_dollar)


def converted(amount: int, per_dollar: Decimal) -> int:
    """The same by a rate that is known. Pure."""
    return round(Fraction(amount) / Fraction(per_dollar))


def set_rate(actor: Actor, values: RateValues, rate: CurrencyRate | None = None, reason: str = "") -> CurrencyRate:
    """Make a rate, or change `rate`. Raises InvalidRate, RefusedRate."""
    values = values.tidied()
    if problems := validate(values):
        raise InvalidRate(problems)
    with changing_rates():
        row = CurrencyRate.objects.select_for_update().get(pk=rate.pk) if rate else CurrencyRate()
        before = RateValues.of_row(row).as_json() if rate else None
        other = CurrencyRate.objects.filter(currency=values.currency, day=values.day).exclude(pk=row.pk).first()
        if other is not None:
            known = f"{other.per_dollar.normalize():f}"
            raise InvalidRate(
                {"day": f"There is already a rate for {values.currency} on {day_year(values.day)}: {known}. Edit it."}
            )
        if before == values.as_json():
            return row
        row.currency, row.day, row.per_dollar, row.origin = (
            values.currency, values.day, values.per_dollar, values.origin,
        )  # fmt: skip
        row.save()
        refuse_without_the_shown()
        record(actor, "changed" if before else "created", row, before, values.as_json(), reason)
    return row


def remove_rate(actor: Actor, rate: CurrencyRate, reason: str = "") -> None:
    """Take a rate out; its history keeps it. Raises RefusedRate where pages show money by no other."""
    with changing_rates():
        row = CurrencyRate.objects.select_for_update().filter(pk=rate.pk).first()
        if row is None:
            raise RefusedRate("This rate is removed already.")
        CurrencyRate.objects.filter(pk=row.pk).delete()
        refuse_without_the_shown()
        record(actor, "removed", row, RateValues.of_row(row).as_json(), None, reason)


def undo_rate(actor: Actor, entry: AuditEntry) -> set[str]:
    """Restore how a rate was before `entry`; the currencies concerned. Raises RefusedRate, InvalidRate."""
    with changing_rates():
        newest = newest_entry(CurrencyRate, entry.object_id)
        if newest is None or newest.pk != entry.pk:
            raise RefusedRate("Somebody changed this rate since. Nothing was undone.")
        reason = f"Undo of “{entry.act}” by {entry.who_text}"
        row = CurrencyRate.objects.filter(pk=entry.object_id).first()
        if entry.before is None:
            if row is None:
                raise RefusedRate("This rate is removed already.")
            remove_rate(actor, row, reason)
        elif row is not None:
            set_rate(actor, RateValues.of_json(entry.before), row, reason)
        else:
            _restore(actor, int(entry.object_id), RateValues.of_json(entry.before), reason)
        return {kept["currency"] for kept in (entry.before, entry.after) if kept}


def _restore(actor: Actor, pk: int, values: RateValues, reason: str) -> None:
    if CurrencyRate.objects.filter(currency=values.currency, day=values.day).exists():
        raise RefusedRate(f"There is another rate for {values.currency} on {day_year(values.day)} now.")
    kept = values.as_json()
    row = CurrencyRate(pk=pk, currency=values.currency, day=values.day, per_dollar=values.per_dollar)
    row.origin = values.origin
    row.save(force_insert=True)
    record(actor, "restored", row, None, kept, reason)


def refuse_without_the_shown() -> None:
    """Raise RefusedRate where pages show money in a currency that no rate is left for."""
    organisation = Organisation.get()
    code = organisation.currency
    if code != "USD" and rate_on(code, day_of(timezone.now(), organisation.zone)) is None:
        raise RefusedRate(
            f"Pages show money in {code}, and no rate for today would be left. "
            "Choose another currency in Settings first, or add another rate."
        )
