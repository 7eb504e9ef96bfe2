"""The five questions, each answered in a sentence or two from its tables. No queries; money in the currency shown."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from budgets.pages.amounts import whole
from reports.figures.showing import decimal, share_words
from reports.figures.sums import Went
from reports.figures.tables import Reads, Table


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` first, then the tables that it is from."""

    key: str
    asks: str
    answer: str
    tables: tuple[Table, ...]


def questions(reads: Reads, tables: dict[str, Table]) -> tuple[Question, ...]:
    return (
        Question("most-used", "Which workflows use most?", _most(tables["workflows"], "uses"), (tables["workflows"],)),
        Question("dearest-models", "Which models cost most?", _most(tables["models"], "costs"), (tables["models"],)),
        Question("circles", "Which agents repeat themselves or go in circles?", _circles(reads, tables),
                 (tables["repeats"], tables["agents"])),
        Question("dearest-teams", "Which teams and products cost most?", _teams(tables),
                 (tables["teams"], tables["applications"])),
        Question("worth", "Which are worth their money?", _worth(reads, tables["value"]), (tables["value"],)),
    )  # fmt: skip


def _most(table: Table, does: str) -> str:
    at = {column.name: n for n, column in enumerate(table.columns)}
    dear = [line.cells for line in table.lines if line.cells[at["spend"]]]
    if not dear:
        return "Nothing of it has a price yet." if table.lines else table.empty
    first, *others = dear
    share = first[at["share"]]
    said = f"{first[0]} {does} most: {whole(first[at['spend']])}"
    said += f", {share_words(share)} of all spend." if share is not None else "."
    if others:
        said += f" Then comes {others[0][0]} with {whole(others[0][at['spend']])}."
    return said


def _circles(reads: Reads, tables: dict[str, Table]) -> str:
    found = []
    went = reads.now.went_in_all or Went()
    if went.over:
        worst = max((reads.now.went or {}).items(), key=lambda one: one[1].over)[0]
        runs = "1 run" if went.over == 1 else f"{went.over:,} runs"
        found.append(
            f"{runs} of {went.capped:,} took more steps than their limit, most of {reads.now.named[worst].name}."
        )
    repeating = [one for one in reads.agents or () if one.retries]
    if repeating:
        worst_agent = repeating[0]
        share = share_words_of(worst_agent.retries, worst_agent.calls)
        found.append(f"The agent {worst_agent.name} repeats most: {share} of its calls.")
    else:
        flows = [(pk, used) for pk, used in reads.now.workflows.items() if used.retries > 0]
        if flows:
            pk, used = max(flows, key=lambda one: (one[1].retries, one[0]))
            share = share_words_of(used.retries, used.calls)
            found.append(f"{reads.now.named[pk].name} repeats most: {share} of its calls.")
    if found:
        return " ".join(found)
    if not tables["repeats"].lines:
        return tables["repeats"].empty
    return "None, as far as calls say." if went.capped else "No call was repeated. No workflow that ran limits steps."


def share_words_of(part: int, whole_: int) -> str:
    return share_words(Fraction(part, whole_)) if whole_ > 0 else ""


def _teams(tables: dict[str, Table]) -> str:
    teams, products = tables["teams"], tables["applications"]
    said = []
    named = [line for line in teams.lines if line.narrow[0][1] and line.cells[1]]
    if named:
        said.append(f"Team {named[0].cells[0]} costs most: {whole(named[0].cells[1])}.")
    elif teams.lines:
        said.append("No team answers for what was spent.")
    else:
        return teams.empty
    dear = [line.cells for line in products.lines if line.cells[1] is not None]
    if dear:
        said.append(f"Of the products, {dear[0][0]}: {whole(dear[0][1])}.")
    elif products.lines:
        said.append("Of the products none has a price yet.")
    else:
        said.append(products.empty.replace("application", "product or application"))
    return " ".join(said)


def _worth(reads: Reads, table: Table) -> str:
    at = {column.name: n for n, column in enumerate(table.columns)}
    known = [line.cells for line in table.lines if line.cells[at["value_per_dollar"]] is not None]
    if not table.lines:
        return f"It cannot be said: {table.empty[0].lower()}{table.empty[1:]}"
    if not known:
        went = reads.now.went_in_all or Went()
        why = "no outcome states that a run brought anything in" if went.judged else "no run has an outcome yet"
        if went.revenue:
            why = "no run that was shipped states what it brought in"
        return f"It cannot be said yet: {why}."
    best = known[0]
    worth = decimal(best[at["value_per_dollar"]], Decimal("0.01"))
    said = f"{best[0]} brings in most for its cost: {f'{worth:,}' if worth else 'under 0.01'} for each 1 spent."
    losing = [cells[0] for cells in known if cells[at["value_per_dollar"]] < 1]
    if losing:
        many = f"{len(losing)} workflows cost" if len(losing) > 1 else f"{losing[0]} costs"
        said += f" {many} more than {'they earn' if len(losing) > 1 else 'it earns'}."
    return said
