"""What a report says, as values: made once, shown in a preview, by mail and in a channel. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from budgets.pages.amounts import whole

NO_PRICE = "no price yet"
MOST_ROWS = 1_000  # of a report; what comes after the dearest is one row, so that they still add up


@dataclass(frozen=True, slots=True)
class Number:
    """One of the four figures: finished text, and what it is compared with."""

    label: str
    value: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Risk:
    """A budget that ran out, or is heading there."""

    sentence: str
    path: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one row of the view spent, and in the days before; nano-dollars, None where none of it has a price."""

    name: str
    spent: int | None
    before: int | None

    @property
    def more(self) -> int:
        """By how much it changed; 0 where that is not known."""
        return 0 if self.spent is None or self.before is None else self.spent - self.before

    @property
    def words(self) -> str:
        """ "Ad copy: $320, $120 more"."""
        if self.spent is None:
            return f"{self.name}: {NO_PRICE}"
        if self.before is None:
            return f"{self.name}: {whole(self.spent)}, {NO_PRICE} before"
        if not self.before:
            return f"{self.name}: {whole(self.spent)}, new"
        if not self.more:
            return f"{self.name}: {whole(self.spent)}, as before"
        return f"{self.name}: {whole(self.spent)}, {whole(abs(self.more))} {'more' if self.more > 0 else 'less'}"


@dataclass(frozen=True, slots=True)
class Report:
    """`sentence` leads with the amount. `changes` are the rows that changed most; `rows` those of the CSV, `shortened`.

    `notes` say what could not be read or shown as asked for.
    """

    name: str
    days_words: str
    sentence: str
    numbers: tuple[Number, ...]
    risks: tuple[Risk, ...]
    changes: tuple[Change, ...]
    rows: tuple[Change, ...]
    dimension: str
    path: str
    notes: tuple[str, ...] = ()


def sentence_of(spent: int | None, before: int | None, days_words: str, before_words: str) -> str:
    """ "$1,240 spent, 16–22 Nov 2026: 12% more than 9–15 Nov.\" None: not known."""
    if spent is None:
        return f"What was used {days_words} has {NO_PRICE}."
    start = f"{whole(spent)} spent, {days_words}"
    if before is None or before < 0:
        return f"{start}."
    if not before:
        return f"{start}. Nothing was spent in the days before."
    if spent == before:
        return f"{start}: as much as {before_words}."
    percent = round(abs(spent - before) * 100 / before)
    much = "a little" if not percent else f"{percent:,}%"
    return f"{start}: {much} {'more' if spent > before else 'less'} than {before_words}."


def shortened(rows: tuple[Change, ...], rest_name: str) -> tuple[Change, ...]:
    """At most `MOST_ROWS`, the last of them all others together."""
    if len(rows) <= MOST_ROWS:
        return rows
    rest = rows[MOST_ROWS - 1 :]
    spent, before = _sum(one.spent for one in rest), _sum(one.before for one in rest)
    return (*rows[: MOST_ROWS - 1], Change(rest_name, spent, before))


def _sum(amounts: Iterable[int | None]) -> int | None:
    """Of those that are known; None where none is."""
    known = [one for one in amounts if one is not None]
    return sum(known) if known else None


def most_changed(rows: tuple[Change, ...], many: int) -> tuple[Change, ...]:
    """Those whose spend changed most, up or down."""
    changed = sorted((one for one in rows if one.more), key=lambda one: (-abs(one.more), one.name))
    return tuple(changed[:many])
