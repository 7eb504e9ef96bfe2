"""Outcomes from CSV: a line for what somebody said of a run.

Identity: the line's own id; without one a hash of what it says, so that the same file again brings nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone
from msgspec.structs import replace

from budgets.access.reachable import reachable
from budgets.access.roles import reach
from budgets.audit.record import Actor, record
from budgets.limits.calendar import day_starts_at
from budgets.models import UNASSIGNED, Organisation, Source, Workflow
from usage.imports.cells import chosen
from usage.imports.kind import THERE, Column, Kind, LineError, Written
from usage.ingest.event import Refusal, identity_key
from usage.ingest.write import Sender
from usage.models import Import, OutcomeMessage
from usage.outcomes.apply import apply_outcomes
from usage.outcomes.change import taken_back
from usage.outcomes.decode import Item
from usage.outcomes.message import MAX_CASES, Outcome, check, content_key, decided_at
from usage.outcomes.take import KNOWN, Taking

OBJECT_TYPE = OutcomeMessage._meta.label_lower
SOURCE = "import-csv"
PERMISSION = "usage.change_outcome"
TEXTS = {"workflow": 128, "run_id": 128, "id": 128, "reviewer": 128, "asset": 500}
AMOUNTS = ("review_minutes", "satisfaction", "revenue_usd", "minutes_saved")
SAYS = {"yes": True, "true": True, "1": True, "x": True, "no": False, "false": False, "0": False}
CHUNK = 500  # messages taken back in one transaction


@dataclass(slots=True)
class Prepared:
    """The organisation's zone, for days without a time; the source's id, None before the first.

    `own`: short names of the workflows that whoever brings the file may speak of; None: all, unknown ones too.
    """

    zone: ZoneInfo
    now: datetime
    source: int | None
    own: frozenset[str] | None
    seen: dict[str, str] = field(default_factory=dict)  # identity → content, of lines before


def prepare(run: Import) -> Prepared:
    """Four statements at most."""
    source = Source.objects.filter(slug=SOURCE).values_list("pk", flat=True).first()
    own = None
    if run.requested_by is not None and not reach(run.requested_by, PERMISSION).everything:
        own = frozenset(reachable(Workflow, run.requested_by, PERMISSION).values_list("slug", flat=True))
    return Prepared(Organisation.get().zone, timezone.now(), source, own)


def read(line: Mapping[str, str], prepared: Prepared) -> Outcome:
    """Raises LineError."""
    said: dict[str, Any] = {"outcome": chosen(line, "outcome", OutcomeMessage.Kind.choices, "", "outcome")}
    if not said["outcome"]:
        raise LineError("outcome", f"Say what became of it: {', '.join(OutcomeMessage.Kind.values)}.")
    for name, most in TEXTS.items():
        text = line.get(name, "").strip()
        if len(text) > most:
            raise LineError(name, f"At most {most} characters.")
        said[name] = text or None
    for name in AMOUNTS:
        said[name] = Decimal(line[name]) if line.get(name) else None
    said["cases"] = _whole(line)
    said["misrouted"] = _yes_or_no(line)
    said["time"] = _time(line.get("time", ""), prepared)
    if prepared.own is not None and (said["workflow"] or UNASSIGNED) not in prepared.own:
        raise LineError("workflow", "Your role does not let you set outcomes of this workflow.")
    message = Outcome(**said)
    try:
        check(message)
        decided_at(message, prepared.now, prepared.now - timedelta(days=settings.LEDGER_RETENTION_DAYS))
    except Refusal as refusal:
        raise LineError(refusal.field, refusal.detail) from refusal
    return message


def _whole(line: Mapping[str, str]) -> int | None:
    text = line.get("cases", "")
    if not text:
        return None
    value = Decimal(text)
    if value != value.to_integral_value() or not 0 <= value <= MAX_CASES:
        raise LineError("cases", f"Write a whole number from 0 to {MAX_CASES:,}.")
    return int(value)


def _yes_or_no(line: Mapping[str, str]) -> bool | None:
    text = line.get("misrouted", "").strip().casefold()
    if text and text not in SAYS:
        raise LineError("misrouted", f"“{text[:40]}” is neither yes nor no.")
    return SAYS.get(text)


def _time(text: str, prepared: Prepared) -> datetime | None:
    """RFC 3339, or a plain day, which means its noon."""
    if not text:
        return None
    try:
        if len(text) == 10:
            return day_starts_at(datetime.fromisoformat(text).date(), prepared.zone) + timedelta(hours=12)
        return datetime.fromisoformat(text)
    except ValueError:
        raise LineError("time", f"“{text[:40]}” is not a time such as 2026-11-30 14:05.") from None


def _identity(message: Outcome) -> str:
    return identity_key(message.id or _id_of(message))


def _id_of(message: Outcome) -> str:
    return f"line-{content_key(message)}"


def judge(values: Sequence[Outcome], prepared: Prepared) -> list[str | LineError | None]:
    """There already, or taken before with other content."""
    named = [_named(one) for one in values]
    known: dict[str, str] = {}
    if prepared.source is not None:
        with connection.cursor() as cursor:
            cursor.execute(KNOWN, [[prepared.source] * len(named), [_identity(one) for one in named]])
            known = {key: content for _, key, content in cursor.fetchall()}
    verdicts: list[str | LineError | None] = []
    for one in named:
        key, content = _identity(one), content_key(one)
        before = known.get(key) or prepared.seen.setdefault(key, content)
        is_first = key not in known and prepared.seen[key] is content
        if before != content:
            verdicts.append(LineError("id", "An outcome with this id was taken before with other content."))
        else:
            verdicts.append(None if is_first else THERE)
    return verdicts


def _named(message: Outcome) -> Outcome:
    """With an id of its content where it has none of its own."""
    return message if message.id is not None else replace(message, id=_id_of(message))


def write(actor: Actor, values: Sequence[Outcome], run: Import) -> Written:
    """As the API does it; what is refused now is told for its line."""
    source, is_new = Source.objects.get_or_create(slug=SOURCE, defaults={"name": "Import: CSV"})
    items = [Item(n, _named(one), None, one.id or "") for n, one in enumerate(values)]
    taking = Taking(Sender(source.pk, source.slug), items)
    taking.write()
    if is_new:  # after the configuration lock: the history's comes last
        record(actor, "created", source, None, {"slug": source.slug, "name": source.name})
    errors, skipped = [], 0
    for index, (status, refusal) in taking.verdicts.items():
        if status == "duplicate":
            skipped += 1
        else:
            sentence = refusal.detail if refusal else "It was refused."
            errors.append((index, LineError(refusal.field if refusal else "", sentence)))
    return Written(len(values) - len(taking.verdicts), skipped, [(OBJECT_TYPE, pk) for pk in taking.made], errors)


def summary(values: Sequence[Outcome]) -> Sequence[tuple[str, str]]:
    """How many of each outcome, and of how many runs."""
    if not values:
        return ()
    labels = dict(OutcomeMessage.Kind.choices)
    counts = {key: sum(one.outcome == key for one in values) for key in labels}
    return (
        ("Runs", f"{len({(one.workflow, one.run_id) for one in values}):,}"),
        *((labels[key], f"{count:,}") for key, count in counts.items() if count),
    )


def undo_size(run: Import) -> int:
    """How many messages it brought."""
    return run.objects_made.filter(object_type=OBJECT_TYPE).count()


def undo_some(run: Import) -> int:
    """Take back the next messages; they are forgotten as made. Raises RefusedOutcome where folding takes too long."""
    made = list(run.objects_made.filter(object_type=OBJECT_TYPE).order_by("object_id")[:CHUNK])
    if made:
        apply_outcomes()
        taken_back([one.object_id for one in made])
        run.objects_made.filter(pk__in=[one.pk for one in made]).delete()
    return len(made)


def number(name: str, label: str, *aliases: str, hint: str = "") -> Column:
    return Column(name, label, hint, aliases=aliases, type="number")


KIND = Kind(
    key="outcomes",
    title="Outcomes",
    noun="outcome",
    about="What became of runs: approved, shipped, sent back, with who reviewed them and what they were worth.",
    columns=(
        Column("run_id", "Run", "As the calls have it", required=True, aliases=("run", "execution_id")),
        Column("outcome", "Outcome", ", ".join(OutcomeMessage.Kind.values), required=True,
               aliases=("status", "result", "decision")),
        Column("workflow", "Workflow", "Its short name, as the calls have it", aliases=("workflow_slug", "job")),
        Column("time", "When it was decided", "Empty: when it is imported. A day alone means its noon.", type="time",
               aliases=("date", "decided_at", "timestamp", "reviewed_at")),
        Column("id", "Id", "With an id a line is never taken twice. Without one all of it tells.",
               aliases=("review_id", "outcome_id")),
        Column("reviewer", "Reviewer", aliases=("reviewed_by", "approver", "editor")),
        number("review_minutes", "Minutes of review", "minutes", "review_time"),
        number("satisfaction", "Satisfaction", "score", "rating", hint="From 0 to 5"),
        number("revenue_usd", "Revenue, US dollars", "revenue", "value"),
        number("minutes_saved", "Minutes saved", "time_saved"),
        number("cases", "Cases resolved", "cases_resolved", "tickets"),
        Column("misrouted", "Misrouted", "yes or no"),
        Column("asset", "Asset", "A link or an id", aliases=("url", "link", "asset_id")),
    ),
    read=read,
    write=write,
    prepare=prepare,
    judge=judge,
    summary=summary,
    undo=lambda actor, run: "",
    undo_some=undo_some,
    undo_size=undo_size,
    permission=PERMISSION,
    example="run_id,workflow,outcome,time,reviewer,review_minutes,satisfaction,revenue_usd\n"
    "brief-481,seo-briefs,approved,2026-11-18 11:05,lena,4.5,4,120.00\n"
    "brief-482,seo-briefs,reworked,2026-11-18 11:20,lena,6,,\n",
)  # fmt: skip
