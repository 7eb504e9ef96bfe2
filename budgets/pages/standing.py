"""How a budget stands, in numbers and in words. Pure: no Django, no models."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from budgets.pages.amounts import amount
from budgets.pages.moments import day

CLOSE = 95  # percent of the limit; where an even pace, which has no range, leads from here on could go over
# Forecasts are made each night. One night or a weekend without is no harm; after that, what was used since says more.
FORECAST_HOLDS = timedelta(days=3)
RISK_SCALE = 10**12  # of parts of the limit, so that thousands are ranked without fractions
WELL_UNDER = Fraction(60, 100)
EACH = {"day": "a day", "week": "a week", "month": "a month", "quarter": "a quarter", "year": "a year"}

AFTERMATH = {
    "alert": "Nothing is stopped: this budget only tells people.",
    "throttle": "Its calls are slowed down until {day}.",
    "downgrade": "Its calls use cheaper models until {day}.",
    "summarize": "Its inputs are shortened until {day}.",
    "human_review": "A person reviews its results until {day}.",
    "require_approval": "Its calls wait for an approver until {day}.",
    "block": "Its calls are stopped until {day}.",
}


def holds(made_at: datetime | None, now: datetime) -> bool:
    """Whether there is a forecast that is new enough to go by."""
    return made_at is not None and now - made_at <= FORECAST_HOLDS


def tone_of(is_paused: bool, is_over: bool, limit: int, landing: int | None, most: int | None, crossed: int) -> str:
    """`over`, `watch`, `ok` or `` (says nothing). `most`: the upper end of the likely range; None: there is none."""
    if is_paused:
        return ""
    if is_over or (landing is not None and landing > limit):
        return "over"
    if most is not None:
        return "watch" if most > limit else "ok"
    if landing is not None:
        return "watch" if landing * 100 >= limit * CLOSE else "ok"
    return "watch" if crossed else "ok"


def risk_of(is_paused: bool, is_over: bool, spent: int, limit: int, landing: int | None) -> tuple[int, int, int]:
    """Sorts the riskiest first: over, then the furthest over at an even pace, then the fullest; paused last.

    A limit of nothing is wholly used.
    """
    most = spent if landing is None else max(spent, landing)
    return (1 if is_paused else 0, 0 if is_over else 1, -(most * RISK_SCALE // limit if limit else RISK_SCALE))


@dataclass(frozen=True)
class Standing:
    """One budget in its present period. Amounts are nano-dollars, tokens or calls; shares 0 to 1 of the period.

    `covers` is the scope in words, `beneath` the line under the name. `landing` is what the period is expected to come
    to: forecast where `is_forecast`, and then at most `likely_most` four times of five, else where an even pace leads;
    None while that cannot be said. `forecast_of`: the day of the last forecast, where that is too old to go by. `spark`
    holds the last 30 days, oldest first; empty where it was not asked for.
    """

    budget_id: int
    slug: str
    name: str
    covers: str
    beneath: str
    is_whole_organisation: bool
    metric: str
    period: str
    action: str
    is_paused: bool
    first: date
    last: date
    limit: int
    spent: int
    calls: int
    crossed: int
    is_over: bool
    share: Fraction
    landing: int | None
    spark: tuple[int, ...] = ()
    is_forecast: bool = False
    likely_most: int | None = None
    forecast_of: date | None = None

    @property
    def used(self) -> Fraction:
        """Spent as a share of the limit; a limit of nothing is wholly used."""
        return Fraction(self.spent, self.limit) if self.limit else Fraction(1)

    @property
    def percent(self) -> int:
        """Rounded down: 99.6 % is not yet 100 %."""
        return int(self.used * 100)

    @property
    def paced_percent(self) -> int:
        return round(self.share * 100)

    @property
    def is_stopped(self) -> bool:
        return self.is_over and self.action == "block" and not self.is_paused

    @property
    def excess(self) -> int | None:
        """How far over the limit it is expected to come; negative is what is left to spare."""
        return None if self.landing is None else self.landing - self.limit

    @property
    def free_again(self) -> date:
        """The first day of the next period."""
        return self.last + timedelta(days=1)

    @property
    def tone(self) -> str:
        return tone_of(self.is_paused, self.is_over, self.limit, self.landing, self.likely_most, self.crossed)

    @property
    def words(self) -> str:
        """The status in words; colour alone never says it."""
        if self.is_paused:
            return "Paused"
        if self.is_over:
            return "Over"
        if self.excess is not None and self.excess > 0:
            return "Likely over"
        if self.tone == "watch":
            return "Could go over" if self.landing is not None else "Close to the limit"
        if self.landing is None:
            return "Just started"
        return "Well under" if self.landing < self.limit * WELL_UNDER else "On pace"

    @property
    def icon(self) -> str:
        return {"over": "over", "watch": "warn", "ok": "check"}.get(self.tone, "pause")

    @property
    def bar_tone(self) -> str:
        return self.tone or "ok"

    @property
    def fill(self) -> str:
        """Width of the solid part as an SVG length."""
        return _width(self.used)

    @property
    def pale(self) -> str:
        """Width of the pale part; empty where no pace is stated or nothing more will be spent."""
        if self.landing is None or self.is_stopped or not self.limit:
            return ""
        return _width(Fraction(self.landing, self.limit))

    @property
    def mark(self) -> str:
        return _width(self.share)

    @property
    def spent_words(self) -> str:
        """ "$6,412 of $8,000 (80%)"."""
        if self.metric == "money":
            return f"{amount(self.spent, self.metric)} of {amount(self.limit, self.metric)} ({self.percent}%)"
        bare = amount(self.spent, self.metric).rsplit(" ", 1)[0]
        return f"{bare} of {amount(self.limit, self.metric)} ({self.percent}%)"

    @property
    def how(self) -> str:
        """What the landing rests on, as the end of a sentence."""
        if self.is_forecast:
            return "as forecast"
        return "at an even pace" + (f" (the last forecast is of {day(self.forecast_of)})" if self.forecast_of else "")

    @property
    def landing_words(self) -> str:
        if self.is_stopped:
            return "Stopped"
        return amount(self.landing, self.metric) if self.landing is not None else "Too early"

    @property
    def excess_words(self) -> str:
        """ "$2,480 over", "$300 to spare"; where it cannot be said, from when it can."""
        if self.is_stopped:
            return f"until {day(self.free_again)}"
        if self.excess is None:
            return "needs one day of use" if self.period != "day" else "needs three hours of use"
        side = "over" if self.excess > 0 else "to spare"
        return f"{amount(abs(self.excess), self.metric)} {side}"

    @property
    def bar_words(self) -> str:
        """The bar for people who do not see it."""
        said = f"{self.percent}% spent, {self.paced_percent}% expected by now"
        if self.pale:
            said += f", {round(Fraction(self.landing or 0, self.limit) * 100)}% by {day(self.last)} {self.how}"
        return said

    @property
    def aftermath(self) -> str:
        """What running out does, as a sentence."""
        return AFTERMATH[self.action].format(day=day(self.free_again))

    @property
    def risk(self) -> tuple[int, int, int]:
        return risk_of(self.is_paused, self.is_over, self.spent, self.limit, self.landing)

    @property
    def spark_points(self) -> str:
        """The last 30 days as points of an SVG polyline in a box of 72 by 28."""
        if len(self.spark) < 2 or not any(self.spark):
            return ""
        top, step = max(self.spark), Fraction(72, len(self.spark) - 1)
        return " ".join(f"{float(i * step):.1f},{25 - 22 * value / top:.1f}" for i, value in enumerate(self.spark))

    @property
    def spark_words(self) -> str:
        """ "Rising over 30 days": the last week against the one before it."""
        if len(self.spark) < 14:
            return ""
        before, after = sum(self.spark[-14:-7]), sum(self.spark[-7:])
        if after * 10 > before * 11:
            return "Rising this week"
        return "Falling this week" if after * 11 < before * 10 else "Steady this week"


def _width(part: Fraction) -> str:
    return f"{float(min(max(part, Fraction(0)), Fraction(1))) * 100:.1f}%"
