"""What teams are charged, and the FOCUS files, for the running month and the one before."""

from collections import defaultdict
from datetime import date
from fractions import Fraction

from tests.totals.compare import Comparison
from tests.totals.plain_sum import Row, count, month_before, months_on, total
from tests.totals.planning import TEAMS, month_end

NANO = 10**9


def of_before(c: Comparison, row: Row, month: date) -> bool:
    """Whether it belongs to a month before, which was closed when it came."""
    return row.made.astimezone(c.books.zone).date() < month


def compare_chargeback(c: Comparison) -> None:
    this = c.today.replace(day=1)
    for month in (this, month_before(this)):
        rows = c.books.between(month, month_end(month))
        lines: dict[str, list[dict[str, str]]] = defaultdict(list)
        for line in c.csv(f"/export/chargeback.csv?month={month:%Y-%m}"):
            lines[line["team"]].append(line)
        page = c.page(f"/settings/chargeback/?month={month:%Y-%m}")
        shown = {cells[0]: cells[1:] for cells in page.lines()[1:]}
        whole = [0, 0, 0]
        for name, team in TEAMS.items():
            mine = [row for row in rows if (row.team if row.team in TEAMS.values() else "") == team]
            late = [row for row in mine if of_before(c, row, month)]
            other = sum(one.between(month, month_end(month)) for one in c.books.costs if one.team == team)
            sums = [total(mine) - total(late), other, total(late)]
            whole = [one + more for one, more in zip(whole, sums, strict=True)]
            where = f"Chargeback {month}, {name}"
            for kind, expected in zip(("metered", "other", "correction"), sums, strict=True):
                amounts = [Fraction(line["amount"] or 0) for line in lines[team] if line["kind"] == kind]
                # Each line of another currency is rounded to nine decimals.
                near = abs(sum(amounts) - c.shown.units(expected)) <= Fraction(len(amounts), NANO)
                c.same(f"{where} {kind}, {expected}", near, True)
            calls = sum(int(line["calls"]) for line in lines[team])
            c.same(f"{where} calls", calls, count(mine, "calls"))
            booked = sum(Fraction(line["booked"] or 0) for line in lines[team])
            c.same(f"{where} booked", booked * 100, c.shown.hundredths(sum(sums)))
            metered = [row for row in mine if row not in late]
            for line in lines[team]:
                of = [row for row in metered if (row.slug, row.model) == (line["workflow"], line["model"])]
                if line["kind"] == "metered":
                    c.cost(f"{where}: {line['workflow']}, {line['model']}", line["amount"], of)
            if mine or other or team:
                line = next(cells for label, cells in shown.items() if label.startswith(name))
                in_all = c.shown.cents(sum(sums)) if other else c.words(mine)
                c.same(where, line, [c.words(metered), c.shown.cents(other), c.words(late), in_all])
        c.same(f"Chargeback {month}", shown["All teams"], [c.shown.cents(one) for one in (*whole, sum(whole))])


def compare_focus(c: Comparison) -> None:
    """Both versions sum to what was spent, other costs among it, in dollars whatever pages show."""
    this = c.today.replace(day=1)
    for month in (this, month_before(this)):
        last = months_on(month, 1)
        counted = [row for row in c.books.rows if month <= row.day < last]
        # What got its price later in the same month is in the file with its tokens.
        priced = {row.corrects for row in counted if row.kind == 1 and row.unpriced < 0}
        rows = [row for row in counted if row.cost is not None or row.id in priced]
        other = sum(one.between(month, month_end(month)) for one in c.books.costs)
        for version in ("1.2", "1.4"):
            lines = c.csv(f"/export/focus/{version}/{month:%Y-%m}.csv")
            where = f"FOCUS {version}, {month}"
            spent = sum(Fraction(line["BilledCost"]) for line in lines)
            c.same(where, spent, Fraction(total(rows) + other, NANO))
            tokens = sum(Fraction(line["ConsumedQuantity"] or 0) for line in lines if line["ConsumedUnit"] == "Tokens")
            c.same(f"{where} tokens", tokens, sum(row.tokens for row in rows))
            before = sum(Fraction(line["BilledCost"]) for line in lines if line["ChargeClass"])
            late = [row for row in rows if of_before(c, row, month)]
            c.same(f"{where} corrections", before, Fraction(total(late), NANO))
