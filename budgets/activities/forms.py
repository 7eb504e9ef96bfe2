"""The form of planned activity: days and times of the organisation's wall clock, a way to repeat, what it means."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from budgets.activities.recurrence import DAY_NAMES, WEEKDAYS, BadRule, Rule, read
from budgets.activities.values import FIRST_DAY, LAST_DAY, ActivityValues
from budgets.models import PlannedActivity
from budgets.pages.named import team_choices, team_named, workflow_named, workflow_offers

DAY = timedelta(days=1)
DAY_INPUT = {"type": "date"}
TIME_INPUT = {"type": "time"}
REPEATS = (
    ("", "Once"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
    ("fortnightly", "Every two weeks"),
    ("monthly", "Every month, on the same day"),
    ("monthly-weekday", "Every month, on the same weekday"),
    ("yearly", "Every year"),
)
# Frequency, interval, weekdays, how many days of the month and how many months a rule names.
SHAPES = {
    ("DAILY", 1, "", 0, 0): "daily",
    ("WEEKLY", 1, "days", 0, 0): "weekly",
    ("WEEKLY", 1, "", 0, 0): "weekly",
    ("WEEKLY", 2, "days", 0, 0): "fortnightly",
    ("WEEKLY", 2, "", 0, 0): "fortnightly",
    ("MONTHLY", 1, "", 0, 0): "monthly",
    ("MONTHLY", 1, "", 1, 0): "monthly",
    ("MONTHLY", 1, "placed", 0, 0): "monthly-weekday",
    ("YEARLY", 1, "", 0, 0): "yearly",
    ("YEARLY", 1, "", 1, 1): "yearly",
}
KEPT = "kept"  # a rule that the form cannot say, left as it is
FIELD_OF = {"starts_at": "first_day", "ends_at": "last_day", "recurrence": "repeats"}


def _date(label: str, required: bool = True, hint: str = "") -> forms.DateField:
    widget = forms.DateInput(attrs=DAY_INPUT, format="%Y-%m-%d")
    return forms.DateField(label=label, required=required, help_text=hint, widget=widget)


def _time(label: str) -> forms.TimeField:
    return forms.TimeField(label=label, required=False, widget=forms.TimeInput(attrs=TIME_INPUT, format="%H:%M"))


class ActivityForm(forms.Form):
    """`values(zone)` after `is_valid`."""

    name = forms.CharField(label="Name", max_length=200)
    kind = forms.ChoiceField(label="Kind", choices=PlannedActivity.Kind.choices)
    first_day, last_day = _date("First day"), _date("Last day")
    timed = forms.ChoiceField(label="Time of day", required=False, choices=[("", "All day"), ("1", "At set times")])
    start_time, end_time = _time("From"), _time("Until")
    repeats = forms.ChoiceField(label="Repeats", required=False, choices=REPEATS)
    on_days = forms.MultipleChoiceField(
        label="On these days", required=False, choices=list(zip(WEEKDAYS, DAY_NAMES, strict=True)),
        widget=forms.CheckboxSelectMultiple, help_text="None chosen: the weekday of its first day.",
    )  # fmt: skip
    until = _date("Repeats until", required=False, hint="The last day it may begin on. Empty: for ever.")
    skipped = forms.CharField(
        label="Except on", required=False, max_length=6_000, help_text="Days like 2026-12-25, with commas between."
    )
    expects = forms.ChoiceField(label="What it does to use", choices=PlannedActivity.Expects.choices)
    factor = forms.DecimalField(
        label="How many times the usual", required=False, help_text="If you know: 2 is twice as much, 0.5 half."
    )
    team = forms.ChoiceField(label="Team", required=False)
    workflow = forms.CharField(
        label="Workflow", required=False, max_length=128, widget=forms.TextInput(attrs={"list": "workflows-list"})
    )
    note = forms.CharField(label="Note", required=False, max_length=500)

    def __init__(self, *args: Any, who: Any, activity: PlannedActivity | None = None, **kwargs: Any) -> None:
        """`who` fills it in: offered is what they reach."""
        super().__init__(*args, **kwargs)
        self.activity, self.who = activity, who
        fields: dict[str, Any] = self.fields
        fields["team"].choices = team_choices("Everybody", who)
        self.workflows = partial(workflow_offers, who)
        if activity and activity.recurrence and _choice(activity.recurrence) == KEPT:
            fields["repeats"].choices = [(KEPT, "As it does now"), *REPEATS]

    def clean_team(self) -> int | None:
        wanted = self.cleaned_data["team"]
        team = team_named(wanted) if wanted else None
        return team.pk if team else None

    def clean_workflow(self) -> int | None:
        wanted = self.cleaned_data["workflow"].strip()
        found = workflow_named(wanted, self.who) if wanted else None
        if wanted and found is None:
            raise forms.ValidationError(f"There is no workflow called “{wanted}”.")
        return found.pk if found else None

    def clean(self) -> None:
        sent = self.cleaned_data
        if sent.get("timed"):
            for name in ("start_time", "end_time"):
                if not sent.get(name) and name not in self.errors:
                    self.add_error(name, "Enter a time like 22:00.")

    def values(self, zone: ZoneInfo) -> ActivityValues:
        sent = self.cleaned_data
        starts, ends = self._bounds(zone)
        return ActivityValues(
            name=sent["name"],
            starts_at=starts,
            ends_at=ends,
            is_all_day=not sent["timed"],
            kind=sent["kind"],
            team_id=sent["team"],
            workflow_id=sent["workflow"],
            recurrence=self._rule(),
            skipped_days=tuple(sent["skipped"].replace(",", " ").split()) if sent["repeats"] else (),
            expects=sent["expects"],
            factor=sent["factor"],
            note=sent["note"],
            uid=self.activity.uid if self.activity else "",
        )

    def clean_first_day(self) -> date:
        return _in_reach(self.cleaned_data["first_day"])

    def clean_last_day(self) -> date:
        return _in_reach(self.cleaned_data["last_day"])

    def _bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        sent = self.cleaned_data
        if not sent["timed"]:
            return _midnight(sent["first_day"], zone), _midnight(sent["last_day"] + DAY, zone)
        return (
            datetime.combine(sent["first_day"], sent["start_time"], zone).astimezone(UTC),
            datetime.combine(sent["last_day"], sent["end_time"], zone).astimezone(UTC),
        )

    def _rule(self) -> str:
        sent = self.cleaned_data
        first, until = sent["first_day"], sent["until"]
        name = WEEKDAYS[first.weekday()]
        place = -1 if (first + 7 * DAY).month != first.month else (first.day - 1) // 7 + 1
        days = tuple(sent["on_days"]) or (name,)
        rules = {
            "daily": Rule("DAILY", until=until),
            "weekly": Rule("WEEKLY", by_day=days, until=until),
            "fortnightly": Rule("WEEKLY", 2, by_day=days, until=until),
            "monthly": Rule("MONTHLY", by_month_day=(first.day if first.day < 29 else -1,), until=until),
            "monthly-weekday": Rule("MONTHLY", by_day=(f"{place}{name}",), until=until),
            "yearly": Rule("YEARLY", by_month=(first.month,), by_month_day=(first.day,), until=until),
        }
        if sent["repeats"] == KEPT and self.activity:
            return self.activity.recurrence
        return str(rules[sent["repeats"]]) if sent["repeats"] else ""

    def refuse(self, problems: dict[str, str]) -> None:
        for name, sentence in problems.items():
            field = {"skipped_days": "skipped"}.get(name, FIELD_OF.get(name, name))
            self.add_error(field if field in self.fields else None, sentence)


def _in_reach(day: date) -> date:
    """The first and last days that are have no midnight in every zone; just beyond what is allowed is refused too."""
    return max(FIRST_DAY - DAY, min(day, LAST_DAY + DAY))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _choice(recurrence: str) -> str:
    """Which of `REPEATS` a rule is; `KEPT` where the form cannot say it."""
    try:
        rule = read(recurrence)
    except BadRule:
        return KEPT
    days = "".join("placed" if len(one) > 2 else "days" for one in rule.by_day[:1])
    if len(rule.by_day) > 1 and any(len(one) > 2 for one in rule.by_day):
        return KEPT
    parts = (rule.frequency, rule.interval, days, len(rule.by_month_day), len(rule.by_month))
    return KEPT if rule.by_position or rule.week_starts != "MO" else SHAPES.get(parts, KEPT)


def first_values(day: date) -> dict[str, Any]:
    return {"first_day": day, "last_day": day, "kind": "campaign", "expects": "more"}


def typed_values(row: PlannedActivity, zone: ZoneInfo) -> dict[str, Any]:
    """An activity as its form shows it."""
    starts, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
    repeats = _choice(row.recurrence) if row.recurrence else ""
    rule = read(row.recurrence) if repeats and repeats != KEPT else None
    known = {name: getattr(row, name) for name in ("name", "kind", "expects", "factor", "note")}
    return known | {
        "first_day": starts.date(),
        "last_day": (ends - timedelta(microseconds=1)).date() if row.is_all_day else ends.date(),
        "timed": "" if row.is_all_day else "1",
        "start_time": None if row.is_all_day else starts.time(),
        "end_time": None if row.is_all_day else ends.time(),
        "repeats": repeats,
        "on_days": [one for one in rule.by_day if len(one) == 2] if rule else [],
        "until": rule.until if rule else None,
        "skipped": ", ".join(row.skipped_days),
        "team": row.team.slug if row.team else "",
        "workflow": row.workflow.slug if row.workflow else "",
    }


class CalendarFileForm(forms.Form):
    """A calendar file, and what holds for events that do not say."""

    file = forms.FileField(label="Calendar file (.ics)", help_text="One megabyte and 2,000 events at most.")
    kind = forms.ChoiceField(label="New ones are", choices=PlannedActivity.Kind.choices)
    expects = forms.ChoiceField(label="What they do to use", choices=PlannedActivity.Expects.choices)
    team = forms.ChoiceField(label="Team", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["team"].choices = team_choices("Everybody")

    def clean_team(self) -> int | None:
        wanted = self.cleaned_data["team"]
        team = team_named(wanted) if wanted else None
        return team.pk if team else None

    def defaults(self, now: datetime) -> ActivityValues:
        sent = self.cleaned_data
        return ActivityValues("", now, now, kind=sent["kind"], expects=sent["expects"], team_id=sent["team"])
