"""The tables behind the five questions, and those about each workflow: rows from what was read. No queries.

Every row of a table is there; a page shows the first of them. Money in nano-dollars.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reports.figures.arithmetic import Said, cost_of_runs, elasticity
from reports.figures.calls import Agent
from reports.figures.meaning import EACH, MINUTES, PLAIN, RATIO, SHARE, TIMES
from reports.figures.shapes import caught_of, shape_of, steps_of
from reports.figures.showing import CENTS, CHANGE, COUNT, EARNED, WORDS, change_words
from reports.figures.sums import Read, Used, Went
from usage.prices.known import known_cost, priced

SHOWN = 5  # rows of a table on the page


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is what files call it; `unit` as in `showing`. A `minor` one is left out on small screens."""

    name: str
    label: str
    unit: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row; the first cell names it. `narrow`: what an address says for it alone, () where nothing does."""

    cells: tuple[Any, ...]
    narrow: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """`empty` says why there is no row; `total` is how many there are, where more than were read."""

    key: str
    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    empty: str
    group: str = ""  # what /spend/ groups by to show the same
    total: int = 0

    @property
    def shown(self) -> tuple[Line, ...]:
        return self.lines[:SHOWN]

    @property
    def more(self) -> int:
        return max(self.total, len(self.lines)) - len(self.shown)


@dataclass(frozen=True, slots=True)
class Reads:
    """What tables are made of: the window, its complete days, the days compared with, and what only calls know.

    `done` and `before` are None where nothing is compared. `agents` and `revenue` are None where there are too many
    calls to look at each.
    """

    now: Read
    done: Read | None
    before: Read | None
    agents: Sequence[Agent] | None
    revenue: Mapping[str, int] | None


def part(cost: int | None, of: Used | None) -> Said:
    return Fraction(cost, of.cost) if cost is not None and of and of.cost > 0 else None


def per(amount: Any, count: Any) -> Said:
    return Fraction(amount) / Fraction(count) if count and count > 0 and amount is not None else None


def change(reads: Reads, of: Callable[[Read], Used | None]) -> str:
    """Of the complete days against those compared with; "" where nothing is compared."""
    if reads.done is None or reads.before is None:
        return ""
    done, before = of(reads.done), of(reads.before)
    if done is None or known_cost(done) is None or (before is not None and known_cost(before) is None):
        return ""
    if done.cost > 0 and (before is None or before.cost <= 0):
        return "new"
    return change_words(Fraction(done.cost), Fraction(before.cost)) if before else ""


def dearest(items: Mapping[Any, Used]) -> list[tuple[Any, Used]]:
    found = [(key, used) for key, used in items.items() if used.calls or used.cost]
    return sorted(found, key=lambda one: (-one[1].cost, -one[1].calls, str(one[0])))


def workflows(reads: Reads) -> Table:
    now = reads.now
    lines = []
    for pk, used in dearest(now.workflows):
        flow = now.named[pk]
        said = change(reads, lambda read, pk=pk: read.workflows.get(pk))  # type: ignore[misc]
        cells = (flow.name, known_cost(used), part(known_cost(used), now.total), used.calls, said)
        lines.append(Line(cells, (("workflow", flow.slug),)))
    columns = (Column("workflow", "Workflow", WORDS), *SPENT, Column("change", "Change", CHANGE, True))
    return Table("workflows", "Workflows", columns, tuple(lines), nothing(now), "workflow")


def models(reads: Reads) -> Table:
    now = reads.now
    lines = []
    for (provider, model), used in dearest(now.models):
        said = change(reads, lambda read, key=(provider, model): read.models.get(key))  # type: ignore[misc]
        cost = known_cost(used)
        cells = (model, provider, cost, part(cost, now.total), used.calls, per(cost, priced(used)), said)
        lines.append(Line(cells, (("model", model), ("provider", provider))))
    columns = (
        Column("model", "Model", WORDS), Column("provider", "From", WORDS, True), *SPENT,
        Column("cost_per_call", "Per call", EACH), Column("change", "Change", CHANGE, True),
    )  # fmt: skip
    return Table("models", "Models", columns, tuple(lines), nothing(now), "model")


def teams(reads: Reads) -> Table:
    now = reads.now
    names = {**now.team_names, "": "No team"}
    lines = [
        Line(
            (names.get(team, team), known_cost(used), part(known_cost(used), now.total), used.calls,
             change(reads, lambda read, team=team: read.teams.get(team))),  # type: ignore[misc]
            (("team", team),),
        )
        for team, used in dearest(now.teams)
    ]  # fmt: skip
    columns = (Column("team", "Team", WORDS), *SPENT, Column("change", "Change", CHANGE, True))
    return Table("teams", "Teams", columns, tuple(lines), nothing(now), "team")


def wide(reads: Reads, dimension: str, title: str) -> Table:
    """What calls that name a user or an application cost, by its name."""
    now = reads.now
    found = (now.wide or {}).get(dimension)
    rows = found.rows if found else ()
    lines = tuple(Line((name, cost, part(cost, now.total), calls), ((dimension, name),)) for name, cost, calls in rows)
    empty = now.missing.get("wide") or f"No call of these days names its {dimension}."
    columns = (Column(dimension, dimension.capitalize(), WORDS), *SPENT)
    return Table(f"{dimension}s", title, columns, lines, sentence(empty), dimension, found.values if found else 0)


def customers(reads: Reads) -> Table:
    """What customers cost, and what is left of their revenue where outcomes state it."""
    now = reads.now
    found = (now.wide or {}).get("customer")
    revenue = reads.revenue or {}
    lines = []
    for name, cost, calls in found.rows if found else ():
        earned = revenue.get(name)
        left = None if earned is None or cost is None else earned - cost
        cells = (name, cost, part(cost, now.total), calls, earned, left, per(left, earned))
        lines.append(Line(cells, (("customer", name),)))
    columns = (
        Column("customer", "Customer", WORDS), *SPENT, Column("revenue", "Brought in", EARNED),
        Column("margin", "Left", EARNED), Column("margin_share", "Margin", SHARE, True),
    )  # fmt: skip
    empty = now.missing.get("wide") or "No call of these days names its customer."
    return Table(
        "customers", "Customers", columns, tuple(lines), sentence(empty), "customer", found.values if found else 0
    )


def agents(reads: Reads) -> Table:
    columns = (
        Column("agent", "Agent", WORDS), Column("calls", "Calls", COUNT), Column("repeated", "Repeated", COUNT, True),
        Column("repeated_share", "Share", SHARE), Column("longest_run", "Longest run, steps", COUNT),
        Column("spend", "Spent", CENTS),
    )  # fmt: skip
    lines = tuple(
        Line((one.name, one.calls, one.retries, per(one.retries, one.calls), one.longest or None, one.cost))
        for one in reads.agents or ()
    )
    empty = "No call of these days names its agent."
    if reads.agents is None:
        empty = "These days have too many calls to look at the agent of each. Choose fewer days."
    return Table("agents", "Agents", columns, lines, empty)


def repeats(reads: Reads) -> Table:
    """Workflows by what goes round in circles: repeated calls, runs beyond their limit, long runs."""
    now, rows = reads.now, []
    for pk, used in now.workflows.items():
        went, flow = (now.went or {}).get(pk, Went()), now.named[pk]
        if used.calls <= 0 or not (went.seen or used.retries):
            continue
        cells = (
            flow.name, used.retries, per(used.retries, used.calls), went.seen or None, steps_of(went),
            went.longest or None, went.over if went.capped else None, per(went.over, went.capped),
        )  # fmt: skip
        rows.append((-went.over, -used.retries, -went.longest, flow.slug, Line(cells, (("workflow", flow.slug),))))
    columns = (
        Column("workflow", "Workflow", WORDS), Column("repeated", "Repeated", COUNT),
        Column("repeated_share", "Share", SHARE), Column("runs", "Runs", COUNT, True),
        Column("steps_per_run", "Steps in a run", PLAIN), Column("longest_run", "Longest", COUNT, True),
        Column("over_limit", "Over their limit", COUNT), Column("over_limit_share", "Share of runs", SHARE, True),
    )  # fmt: skip
    lines = tuple(row[-1] for row in sorted(rows, key=lambda row: row[:-1]))
    empty = sentence(now.missing.get("went") or "No call of these days names its run or is a repeated one.")
    return Table("repeats", "Workflows", columns, lines, empty)


def value(reads: Reads) -> Table:
    """Workflows by what their shipped runs bring in for what all their runs cost."""
    now, rows = reads.now, []
    for pk, went in (now.went or {}).items():
        flow = now.named[pk]
        if went.runs <= 0 and not went.spent:
            continue
        cost = cost_of_runs(went, now.workflows.get(pk, Used()))
        revenue = went.shipped_revenue or None
        each = per(cost, went.approved)
        worth = per(revenue, cost)
        approved = went.approved if went.judged else None
        cells = (flow.name, cost, approved, each, revenue, worth, verdict(went, cost))
        rows.append((worth is None, -(worth or 0), -went.spent, flow.slug, Line(cells, (("workflow", flow.slug),))))
    columns = (
        Column("workflow", "Workflow", WORDS), Column("cost_of_runs", "Runs cost", CENTS),
        Column("approved", "Approved", COUNT), Column("cost_per_approved", "Each", EACH),
        Column("revenue", "Shipped runs brought in", EARNED), Column("value_per_dollar", "For a dollar", RATIO, True),
        Column("verdict", "So", WORDS),
    )  # fmt: skip
    lines = tuple(row[-1] for row in sorted(rows, key=lambda row: row[:-1]))
    return Table("value", "Workflows", columns, lines, sentence(now.missing.get("went") or "No call names its run."))


def verdict(went: Went, cost: int | None) -> str:
    """In a few words, whether it is worth its money, as far as prices and outcomes say."""
    if cost is None:
        return "Cost not known"
    if went.shipped_revenue:
        return "Earns more than it costs" if went.shipped_revenue >= went.spent else "Costs more than it earns"
    if went.approved > 0:
        return "Value not stated"
    return "Nothing approved yet" if went.judged else "No outcome yet"


def shapes(reads: Reads) -> Table:
    now, lines = reads.now, []
    for pk, used in dearest(now.workflows):
        if used.calls <= 0:
            continue
        flow, shape = now.named[pk], shape_of(now.made_of(pk), (now.went or {}).get(pk, Went()))
        cells = (flow.name, shape.words, shape.steps, shape.tools, shape.retrieval, shape.passages)
        lines.append(Line(cells, (("workflow", flow.slug),)))
    columns = (
        Column("workflow", "Workflow", WORDS), Column("kind", "Kind of work", WORDS),
        Column("steps_per_run", "Steps in a run", PLAIN), Column("tools_share", "Input about tools", SHARE, True),
        Column("looked_up_share", "Input looked up", SHARE), Column("passages", "Passages a call", PLAIN, True),
    )  # fmt: skip
    return Table("shapes", "Kinds of work", columns, tuple(lines), nothing(now))


def growth(reads: Reads) -> Table:
    lines = []
    if reads.done is not None and reads.before is not None:
        lines = list(_growth(reads.done, reads.before))
    columns = (
        Column("workflow", "Workflow", WORDS), Column("growth_of_cost", "Cost", CHANGE),
        Column("growth_of_use", "Use", CHANGE), Column("use", "Counted in", WORDS, True),
        Column("elasticity", "Cost to use", TIMES),
    )  # fmt: skip
    empty = "There are no days to compare with." if reads.before is None else "Nothing was used in both stretches."
    return Table("growth", "Growth of cost and use", columns, tuple(lines), empty)


def _growth(done: Read, before: Read) -> Iterable[Line]:
    for pk, used in dearest(done.workflows):
        then = before.workflows.get(pk, Used())
        if then.cost <= 0 or used.calls <= 0:
            continue
        flow = done.named[pk]
        runs = [(read.went or {}).get(pk, Went()).runs for read in (done, before)]
        found, _ = elasticity(used, then, *runs)
        by_runs = bool(all(runs)) and used.calls_in_runs == used.calls and then.calls_in_runs == then.calls
        use = runs if by_runs else [used.calls, then.calls]
        cells = (
            flow.name, change_words(Fraction(used.cost), Fraction(then.cost)),
            change_words(Fraction(use[0]), Fraction(use[1])), "runs" if by_runs else "calls", found,
        )  # fmt: skip
        yield Line(cells, (("workflow", flow.slug),))


def review(reads: Reads) -> Table:
    """Workflows by what review found in them."""
    now, rows = reads.now, []
    for pk, went in (now.went or {}).items():
        caught, flow = caught_of(went), now.named[pk]
        if caught is None:
            continue
        is_known = cost_of_runs(went, now.workflows.get(pk, Used())) is not None
        money = (caught.cost, caught.per_hour) if is_known else (None, None)
        cells = (flow.name, caught.reviewed, caught.found, caught.minutes or None, *money)
        rows.append((-caught.cost, flow.slug, Line(cells, (("workflow", flow.slug),))))
    columns = (
        Column("workflow", "Workflow", WORDS), Column("reviewed", "Reviewed", COUNT),
        Column("found", "To be redone", SHARE), Column("review_minutes", "Review took", MINUTES, True),
        Column("cost_of_it", "What that cost", CENTS), Column("cost_per_hour", "For an hour of review", EARNED, True),
    )  # fmt: skip
    lines = tuple(row[-1] for row in sorted(rows, key=lambda row: row[:-1]))
    return Table(
        "review", "What review finds", columns, lines, sentence(now.missing.get("went") or "Nobody reviewed a run.")
    )


def nothing(read: Read) -> str:
    return sentence(read.missing.get("used") or "There were no calls in these days.")


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


SPENT = (Column("spend", "Spent", CENTS), Column("share", "Share", SHARE), Column("calls", "Calls", COUNT, True))


def every_table(reads: Reads) -> dict[str, Table]:
    """All of them, by key."""
    made = [
        workflows(reads), models(reads), agents(reads), repeats(reads), teams(reads),
        wide(reads, "application", "Applications"), value(reads), customers(reads), wide(reads, "user", "Users"),
        shapes(reads), growth(reads), review(reads),
    ]  # fmt: skip
    return {one.key: one for one in made}
