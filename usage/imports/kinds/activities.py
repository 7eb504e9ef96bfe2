"""Planned activity from CSV: a line for each campaign, launch, batch night or publishing date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from budgets.activities import edit
from budgets.activities.values import ActivityValues, checked
from budgets.audit.record import Actor
from budgets.models import Organisation, PlannedActivity
from budgets.pages.moments import day_year
from usage.imports.cells import chosen, day_in, named, teams_by_name, workflows_by_name
from usage.imports.edits import remove_each
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.models import Import

OBJECT_TYPE = PlannedActivity._meta.label_lower
DAY = timedelta(days=1)
COLUMN_OF = {"starts_at": "first_day", "ends_at": "last_day", "recurrence": "repeats"}
Known = tuple[str, datetime, datetime]


@dataclass(slots=True)
class Prepared:
    """Teams and workflows by short name and name in small letters; what is in the calendar by name and time."""

    teams: Mapping[str, int]
    workflows: Mapping[str, int]
    zone: ZoneInfo
    there: frozenset[Known]


def prepare(run: Import) -> Prepared:
    """Four statements."""
    return Prepared(teams_by_name(), workflows_by_name(), Organisation.get().zone, _there())


def _there() -> frozenset[Known]:
    return frozenset(PlannedActivity.objects.order_by().values_list("name", "starts_at", "ends_at"))


def read(line: Mapping[str, str], prepared: Prepared) -> ActivityValues:
    """Raises LineError."""
    first = _day(line, "first_day")
    last = _day(line, "last_day") if line.get("last_day") else first
    starts, ends = _clock(line, "start_time"), _clock(line, "end_time")
    if (starts is None) != (ends is None):
        raise LineError("end_time" if ends is None else "start_time", "Give both times, or neither for whole days.")
    zone = prepared.zone
    if starts is not None and ends is not None:
        if last == first and ends <= starts:
            last = first + DAY
        begins, stops = datetime.combine(first, starts, zone), datetime.combine(last, ends, zone)
    else:
        begins, stops = datetime.combine(first, time(), zone), datetime.combine(last + DAY, time(), zone)
    values = ActivityValues(
        name=line.get("name", ""),
        starts_at=begins.astimezone(UTC),
        ends_at=stops.astimezone(UTC),
        is_all_day=starts is None,
        kind=chosen(line, "kind", PlannedActivity.Kind.choices, "other", "kind of activity"),
        expects=chosen(line, "expects", PlannedActivity.Expects.choices, "more", "expectation"),
        team_id=named(line, "team", prepared.teams),
        workflow_id=named(line, "workflow", prepared.workflows),
        recurrence=line.get("repeats", ""),
        factor=_factor(line),
        note=line.get("note", ""),
    )
    values, problems = checked(values, zone)
    for name, sentence in problems.items():
        raise LineError(COLUMN_OF.get(name, name), sentence)
    return values


def _day(line: Mapping[str, str], name: str) -> date:
    found = day_in(line, name)
    if not 2000 <= found.year <= 2100:
        raise LineError(name, "Choose a day between 2000 and 2100.")
    return found


def _clock(line: Mapping[str, str], name: str) -> time | None:
    text = line.get(name, "").strip()
    if not text:
        return None
    try:
        return time.fromisoformat(text.zfill(5)).replace(tzinfo=None)
    except ValueError:
        raise LineError(name, f"“{text[:20]}” is not a time such as 22:00.") from None


def _factor(line: Mapping[str, str]) -> Decimal | None:
    text = line.get("factor", "").strip()
    try:
        return Decimal(text) if text else None
    except ArithmeticError:
        raise LineError("factor", f"“{text[:20]}” is not a number such as 1.5.") from None


def judge(values: Sequence[ActivityValues], prepared: Prepared) -> Sequence[str | LineError | None]:
    """What has the same name and time is there."""
    return [THERE if (one.name, one.starts_at, one.ends_at) in prepared.there else None for one in values]


def write(actor: Actor, values: Sequence[ActivityValues], run: Import) -> Written:
    """Each line by itself."""
    made, errors, skipped, there = [], [], 0, set(_there())
    for index, one in enumerate(values):
        key = (one.name, one.starts_at, one.ends_at)
        if key in there:
            skipped += 1
            continue
        try:
            row = edit.create_activity(actor, one, f"Import of {run.file_name}"[:500])
        except edit.InvalidActivity as error:
            name, sentence = next(iter(error.problems.items()))
            errors.append((index, LineError(COLUMN_OF.get(name, name), sentence)))
        else:
            there.add(key)
            made.append((OBJECT_TYPE, row.pk))
    return Written(good=len(made), skipped=skipped, made=made, errors=errors)


def undo(actor: Actor, run: Import) -> str:
    """Those that nobody changed since are removed."""
    reason = f"Undo of the import of {run.file_name}"[:500]
    done, kept = remove_each(
        run, PlannedActivity, {"created"}, lambda row: edit.remove_activity(actor, row, reason), edit.RefusedActivity
    )
    rest = f" {kept} changed since and stay{'s' if kept == 1 else ''}." if kept else ""
    return f"{done} of them {'is' if done == 1 else 'are'} removed again.{rest}"


def summary(values: Sequence[ActivityValues]) -> Sequence[tuple[str, str]]:
    """What kinds, and when."""
    if not values:
        return ()
    labels: dict[str, str] = dict(PlannedActivity.Kind.choices)
    counts = {labels[kind]: sum(one.kind == kind for one in values) for kind in sorted({one.kind for one in values})}
    first, last = min(one.starts_at for one in values), max(one.starts_at for one in values)
    return (
        *((label, str(count)) for label, count in counts.items()),
        ("Days", f"{day_year(first.date())} to {day_year(last.date())}"),
    )


KIND = Kind(
    key="activities",
    title="Planned activity",
    noun="activity",
    columns=(
        Column("name", "Name", required=True, aliases=("title", "summary", "subject", "campaign")),
        Column("first_day", "First day", required=True, aliases=("start", "start_date", "from", "date"), type="day"),
        Column("last_day", "Last day", "Empty: one day", aliases=("end", "end_date", "to", "until"), type="day"),
        Column("start_time", "From", "Like 22:00; empty for whole days", aliases=("time", "starts")),
        Column("end_time", "Until", "Like 06:00", aliases=("ends",)),
        Column("kind", "Kind", "campaign, launch, batch, publishing, pause or other", aliases=("type", "category")),
        Column("team", "Team", "Short name or name", aliases=("business_unit", "department", "unit")),
        Column("workflow", "Workflow", "Short name or name"),
        Column("expects", "What it does to use", "more, less, none or same"),
        Column("factor", "How many times the usual", type="number"),
        Column("repeats", "Repeats", "An iCalendar rule such as FREQ=WEEKLY;BYDAY=FR", aliases=("rrule", "recurrence")),
        Column("note", "Note", aliases=("description", "comment", "remark")),
    ),
    read=read,
    write=write,
    prepare=prepare,
    judge=judge,
    summary=summary,
    undo=undo,
    permission="budgets.change_plannedactivity",
    example="name,kind,first_day,last_day,start_time,end_time,team,expects,factor,repeats\n"
    "Spring campaign,campaign,2027-03-01,2027-03-21,,,brand,more,1.5,\n"
    "Translation batch,batch,2026-11-27,2026-11-28,22:00,06:00,,more,,FREQ=WEEKLY;BYDAY=FR\n",
    about="Campaigns, launches, batch nights and publishing dates for the calendar.",
)
