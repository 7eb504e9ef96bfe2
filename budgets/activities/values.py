"""What is stated about planned activity, and what it may be."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from budgets.activities.recurrence import BadRule, parse
from budgets.models import PlannedActivity

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
LONGEST, LONGEST_REPEATED = timedelta(days=732), timedelta(days=31)
MOST_SKIPPED = 400
HUNDREDTH = Decimal("0.01")
Expects, Kind = PlannedActivity.Expects, PlannedActivity.Kind


@dataclass(frozen=True, slots=True)
class ActivityValues:
    """`ends_at` is the first instant after it. `skipped_days`: days of the organisation's zone it leaves out."""

    name: str
    starts_at: datetime
    ends_at: datetime
    is_all_day: bool = True
    kind: str = Kind.CAMPAIGN.value
    team_id: int | None = None
    workflow_id: int | None = None
    recurrence: str = ""
    skipped_days: tuple[str, ...] = ()
    expects: str = Expects.MORE.value
    factor: Decimal | None = None
    note: str = ""
    uid: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return found | {
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "skipped_days": list(self.skipped_days),
            "factor": None if self.factor is None else f"{self.factor:f}",
        }

    @classmethod
    def of_row(cls, row: PlannedActivity) -> "ActivityValues":
        known = {name: getattr(row, name) for name in cls.__slots__}
        return cls(**(known | {"skipped_days": tuple(row.skipped_days)}))

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> "ActivityValues":
        known = {name: kept[name] for name in cls.__slots__}
        times = {name: datetime.fromisoformat(kept[name]) for name in ("starts_at", "ends_at")}
        factor = None if kept["factor"] is None else Decimal(kept["factor"])
        return cls(**(known | times | {"factor": factor, "skipped_days": tuple(kept["skipped_days"])}))


def checked(values: ActivityValues, zone: ZoneInfo) -> tuple[ActivityValues, dict[str, str]]:
    """Tidied values, and what is wrong with them by field."""
    values = replace(
        values,
        name=_line(values.name)[:201],
        note=_line(values.note)[:501],
        uid=_line(values.uid)[:256],
        skipped_days=tuple(sorted(set(values.skipped_days))),
        factor=values.factor if values.factor is None else _hundredths(values.factor),
    )
    problems = _wrong_words(values) | _wrong_times(values) | _wrong_factor(values)
    if values.recurrence and not problems:
        try:
            rule = parse(values.recurrence, values.starts_at.astimezone(zone).date())
        except BadRule as error:
            problems["recurrence"] = str(error)
        else:
            values = replace(values, recurrence=str(rule))
            if values.ends_at - values.starts_at > LONGEST_REPEATED:
                problems["ends_at"] = "What repeats may last 31 days at most each time."
    return values, problems


def _line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


def _hundredths(factor: Decimal) -> Decimal:
    """In hundredths where that loses nothing, so that what is typed and what is stored compare alike."""
    fine = factor.is_finite() and abs(factor) < 10_000 and factor == factor.quantize(HUNDREDTH)
    return factor.quantize(HUNDREDTH) if fine else factor


def _wrong_words(values: ActivityValues) -> dict[str, str]:
    problems = {}
    if not values.name or len(values.name) > 200:
        problems["name"] = "Give it a name of at most 200 characters."
    if values.kind not in Kind.values:
        problems["kind"] = f"Choose from: {', '.join(Kind.values)}."
    if values.expects not in Expects.values:
        problems["expects"] = f"Choose from: {', '.join(Expects.values)}."
    if len(values.note) > 500:
        problems["note"] = "Write at most 500 characters."
    if len(values.uid) > 255:
        problems["uid"] = "Its UID has more than 255 characters."
    if len(values.skipped_days) > MOST_SKIPPED or not all(_is_day(one) for one in values.skipped_days):
        problems["skipped_days"] = "Write the days like 2026-12-25, with commas between, 400 at most."
    return problems


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _wrong_times(values: ActivityValues) -> dict[str, str]:
    problems = {}
    for name in ("starts_at", "ends_at"):
        if not FIRST_DAY <= getattr(values, name).date() <= LAST_DAY:
            problems[name] = "Choose a day between 2000 and 2100."
    if values.ends_at <= values.starts_at:
        problems.setdefault("ends_at", "It ends before it starts. Choose a later end.")
    elif values.ends_at - values.starts_at > LONGEST:
        problems.setdefault("ends_at", "It may last two years at most.")
    return problems


def _wrong_factor(values: ActivityValues) -> dict[str, str]:
    factor = values.factor
    if factor is None:
        return {}
    if not factor.is_finite() or not 0 <= factor < 1_000 or factor != factor.quantize(HUNDREDTH):
        return {"factor": "Enter how many times the usual, from 0 to 999.99, for example 1.5."}
    fits = {
        Expects.MORE: factor > 1,
        Expects.LESS: 0 < factor < 1,
        Expects.NONE: factor == 0,
        Expects.SAME: factor == 1,
    }
    words = {
        Expects.MORE: "More than usual is a number above 1, for example 1.5.",
        Expects.LESS: "Less than usual is a number between 0 and 1, for example 0.5.",
        Expects.NONE: "No use at all is 0. Leave it empty.",
        Expects.SAME: "No difference is 1. Leave it empty.",
    }
    known = Expects(values.expects) if values.expects in Expects.values else Expects.MORE
    return {} if fits[known] else {"factor": words[known]}
