"""Many rates at once, as an import brings them, and taking them back."""

from collections.abc import Sequence
from datetime import date

from budgets.audit.record import Actor, record
from budgets.currency import rates
from budgets.currency.rates import RateValues, RefusedRate, changing_rates
from budgets.models import AuditEntry, CurrencyRate
from usage.costs.convert import convert_costs

OBJECT_TYPE = CurrencyRate._meta.label_lower
Key = tuple[str, date]


def known_rates(keys: Sequence[Key]) -> dict[Key, CurrencyRate]:
    """Those that are there. One statement."""
    currencies, days = {key[0] for key in keys}, {key[1] for key in keys}
    rows = CurrencyRate.objects.filter(currency__in=currencies, day__in=days)
    wanted = set(keys)
    return {key: row for row in rows for key in [(row.currency, row.day)] if key in wanted}


def bring_rates(actor: Actor, values: Sequence[RateValues], reason: str) -> tuple[list[CurrencyRate], int]:
    """Write checked rates; (the new rows, how many others changed). What is there already stays as it is.

    One row of history for the new ones of each currency, and one for each that changes. Raises RefusedRate.
    """
    with changing_rates():
        known = known_rates([(one.currency, one.day) for one in values])
        new, changed = [], 0
        for one in values:
            row = known.get((one.currency, one.day))
            if row is None:
                row = CurrencyRate(currency=one.currency, day=one.day, per_dollar=one.per_dollar, origin=one.origin)
                known[one.currency, one.day] = row
                new.append(row)
            elif row.pk and row.per_dollar != one.per_dollar:
                rates.set_rate(actor, one, row, reason)
                changed += 1
        CurrencyRate.objects.bulk_create(new)
        for code in sorted({row.currency for row in new}):
            rows = [row for row in new if row.currency == code]
            after = {row.day.isoformat(): f"{row.per_dollar.normalize():f}" for row in rows}
            record(actor, "imported", rows[0], None, {"currency": code, "rates": after}, reason)
        convert_costs(actor, {one.currency for one in values})
    return new, changed


def take_back(actor: Actor, made: Sequence[int], mark: str) -> tuple[int, int]:
    """Undo what `bring_rates` did with reasons that begin with `mark`; (taken back, left as changed since).

    Raises RefusedRate where something needs the rates.
    """
    with changing_rates():
        touched = _touched_since(made, mark)
        rows = [row for row in CurrencyRate.objects.filter(pk__in=made) if str(row.pk) not in touched]
        kept = len(made) - len(rows)
        CurrencyRate.objects.filter(pk__in=[row.pk for row in rows]).delete()
        for code in sorted({row.currency for row in rows}):
            gone = [row for row in rows if row.currency == code]
            before = {row.day.isoformat(): f"{row.per_dollar.normalize():f}" for row in gone}
            record(actor, "removed", gone[0], {"currency": code, "rates": before}, None, f"Undo of {mark}")
        done, currencies = len(rows), {row.currency for row in rows}
        changed = AuditEntry.objects.filter(object_type=OBJECT_TYPE, act="changed", reason__startswith=mark)
        for entry in changed.order_by("-pk"):
            try:
                currencies |= rates.undo_rate(actor, entry)
                done += 1
            except RefusedRate:
                kept += 1
        rates.refuse_without_the_shown()
        convert_costs(actor, currencies)
    return done, kept


def _touched_since(made: Sequence[int], mark: str) -> set[str]:
    """Which of the rows somebody changed or removed after the import."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=[str(pk) for pk in made])
    return set(entries.exclude(reason__startswith=mark).values_list("object_id", flat=True))
