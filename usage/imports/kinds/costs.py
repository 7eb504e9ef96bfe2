"""Other AI costs from CSV: a line for each seat bill, subscription, credit or tax."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from babel.numbers import get_currency_name

from budgets.audit.record import Actor
from budgets.models import NANO, CurrencyRate, Organisation
from budgets.pages.moments import day_year
from usage.costs import edit
from usage.costs.convert import newest
from usage.costs.forms import money
from usage.costs.spread import month_end
from usage.costs.values import CostValues, validate
from usage.imports.cells import chosen, day_in, named, teams_by_name, workflows_by_name
from usage.imports.edits import remove_each
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.models import Import, OtherCost

OBJECT_TYPE = OtherCost._meta.label_lower
TEXTS = ("vendor", "reference", "note")


@dataclass(slots=True)
class Prepared:
    """Teams and workflows by short name and name in small letters; dated rates; days that are closed."""

    teams: Mapping[str, int]
    workflows: Mapping[str, int]
    rates: Mapping[str, Sequence[CurrencyRate]]
    closed_before: date | None
    there: set[CostValues] = field(default_factory=set)


def prepare(run: Import) -> Prepared:
    """Five statements."""
    rates: dict[str, list[CurrencyRate]] = {}
    for rate in CurrencyRate.objects.order_by("currency", "day"):
        rates.setdefault(rate.currency, []).append(rate)
    return Prepared(
        teams=teams_by_name(),
        workflows=workflows_by_name(),
        rates=rates,
        closed_before=Organisation.get().closed_before,
        there={CostValues.of_row(row) for row in OtherCost.objects.filter(removed_at=None)},
    )


def read(line: Mapping[str, str], prepared: Prepared) -> CostValues:
    """Raises LineError."""
    first = day_in(line, "first_day")
    values = CostValues(
        name=line.get("name", ""),
        amount=_amount(line),
        first_day=first,
        last_day=day_in(line, "last_day") if line.get("last_day") else month_end(first),
        kind=chosen(line, "kind", OtherCost.Kind.choices, "other", "kind of cost"),
        currency=line.get("currency", "").strip().upper() or "USD",
        team_id=named(line, "team", prepared.teams),
        workflow_id=named(line, "workflow", prepared.workflows),
        **{name: line.get(name, "") for name in TEXTS},
    ).tidied()
    for name, sentence in validate(values).items():
        raise LineError(name, sentence)
    if prepared.closed_before and first < prepared.closed_before:
        raise LineError("first_day", f"Days before {day_year(prepared.closed_before)} are closed.")
    if values.currency != "USD" and newest(prepared.rates.get(values.currency, ()), first) is None:
        raise LineError("currency", f"There is no rate for {values.currency} on {day_year(first)}. Add one first.")
    return values


def _amount(line: Mapping[str, str]) -> int:
    try:
        exact = Decimal(line.get("amount", "").strip()) * NANO
    except ArithmeticError:
        exact = Decimal("NaN")
    if not exact.is_finite() or abs(exact) > Decimal(10) ** 27:
        raise LineError("amount", "Write the amount like 1500.50; a credit may have a minus.")
    if exact != exact.to_integral_value():
        raise LineError("amount", "Write at most nine digits after the point.")
    return int(exact)


def judge(values: Sequence[CostValues], prepared: Prepared) -> Sequence[str | LineError | None]:
    """A line that is like a cost in every field is there."""
    return [THERE if one in prepared.there else None for one in values]


def write(actor: Actor, values: Sequence[CostValues], run: Import) -> Written:
    """Each line by itself: what a rate or a closed day refuses now is told for its line."""
    made, errors, skipped = [], [], 0
    there = {CostValues.of_row(row) for row in OtherCost.objects.filter(removed_at=None)}
    for index, one in enumerate(values):
        if one in there:
            skipped += 1
            continue
        try:
            (row,) = edit.create_costs(actor, [one], f"Import of {run.file_name}"[:500])
        except edit.InvalidCost as error:
            name, sentence = next(iter(error.problems.items()))
            errors.append((index, LineError(name, sentence)))
        else:
            made.append((OBJECT_TYPE, row.pk))
    return Written(good=len(made), skipped=skipped, made=made, errors=errors)


def undo(actor: Actor, run: Import) -> str:
    """Those that nobody changed since are removed."""
    reason = f"Undo of the import of {run.file_name}"[:500]
    done, kept = remove_each(
        run,
        OtherCost,
        {"created", "converted"},
        lambda row: edit.remove_cost(actor, row, reason),
        (edit.InvalidCost, edit.RefusedCost),
    )
    rest = f" {kept} changed since, or lie in closed days, and stay." if kept else ""
    return f"{done} cost{' is' if done == 1 else 's are'} removed again.{rest}"


def summary(values: Sequence[CostValues]) -> Sequence[tuple[str, str]]:
    """The sum in each currency, and the days."""
    if not values:
        return ()
    sums: dict[str, int] = {}
    for one in values:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount
    first, last = min(one.first_day for one in values), max(one.last_day for one in values)
    return (
        *((f"In {get_currency_name(code, count=2, locale='en_US')}", money(sums[code], code)) for code in sorted(sums)),
        ("Days", f"{day_year(first)} to {day_year(last)}"),
    )


KIND = Kind(
    key="costs",
    title="Other AI costs",
    noun="cost",
    columns=(
        Column("name", "What it is", required=True, aliases=("description", "item", "product", "title")),
        Column("amount", "Amount", "For its days, in its currency", required=True, aliases=("total", "price", "cost"),
               type="number"),
        Column("currency", "Currency", "A code; empty for USD", aliases=("currency_code", "iso")),
        Column("first_day", "First day", required=True, aliases=("from", "start", "start_date", "date", "period_start"),
               type="day"),
        Column("last_day", "Last day", "Empty: the end of that month", aliases=("to", "end", "end_date", "period_end"),
               type="day"),
        Column("kind", "Kind", "seats, subscription, credit, tax or other", aliases=("type", "category")),
        Column("vendor", "Vendor", aliases=("supplier", "provider")),
        Column("team", "Team", "Short name or name", aliases=("business_unit", "department", "unit")),
        Column("workflow", "Workflow", "Short name or name"),
        Column("reference", "Reference", "An invoice number", aliases=("invoice", "invoice_number", "ref")),
        Column("note", "Note", aliases=("comment", "remark")),
    ),
    read=read,
    write=write,
    prepare=prepare,
    judge=judge,
    summary=summary,
    undo=undo,
    permission="usage.change_othercost",
    example="name,kind,amount,currency,first_day,last_day,team,vendor,reference\n"
    '"Writing assistant, 25 seats",seats,750.00,USD,2026-11-01,2026-11-30,brand,Acme,INV-118\n'
    "Launch credit,credit,-200.00,USD,2026-11-01,2026-11-30,,Acme,\n",
    about="Seats, subscriptions, credits and tax: what is paid beside metered calls.",
)  # fmt: skip
