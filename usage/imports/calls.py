"""One line of past usage as the calls it becomes: identity, sums of many calls, what is impossible."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.utils import timezone
from django.utils.text import slugify

from budgets.models import Organisation, Workflow
from budgets.organisation.configuration import current_generation
from usage.imports.exports import Export, all_exports
from usage.imports.kind import LineError
from usage.ingest.decode import field_of, sentence
from usage.ingest.event import MAX_TOKENS, SLUG, Event, Refusal, check, in_utc
from usage.ingest.post import Posting
from usage.ledger.row import LedgerRow
from usage.models import Import
from usage.prices import book as price_book
from usage.prices.cost import AGGREGATE

DEFAULT_SOURCE = "import-csv"
WHOLE = (
    "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "latency_ms",
    "step", "attempt",
)  # fmt: skip
# What two lines about the same call may differ in; everything else tells calls apart.
MEASURES = frozenset({*WHOLE, "cost_usd", "units", "calls", "tags"}) - {"step", "attempt"}
STATUSES = {"success": "ok", "succeeded": "ok", "completed": "ok", "200": "ok", "failed": "error", "failure": "error"}
SPLIT = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
MOST_PARTS = 200


class Brought(msgspec.Struct):
    """What a line becomes: one call, or a sum of many, in parts where it is beyond what one row may hold.

    `calls`: how many it says it sums, None for an ordinary call or where it does not say. `rows` are filled in when
    the line is judged: priced, for the totals.
    """

    events: list[Event]
    is_sum: bool
    calls: int | None
    rows: list[LedgerRow] = []


@dataclass(slots=True)
class Prepared:
    """What reading a file needs to know, and what it remembers of the lines before."""

    export: Export | None
    options: Mapping[str, str]
    zone: ZoneInfo
    now: datetime
    oldest: datetime
    posting: Posting
    known_workflows: dict[str, tuple[int, str, int]]
    source: str
    times: Counter[str] = field(default_factory=Counter)  # how often an identity came up
    seen: dict[str, str] = field(default_factory=dict)  # ids that lines state: key → content


def prepare(run: Import) -> Prepared:
    """Read once per run."""
    organisation, generation, now = Organisation.get(), current_generation(), timezone.now()
    export = all_exports().get(run.options.get("known", ""))
    posting = Posting(generation, 0, now, organisation.closed_before, organisation.zone, price_book.current(generation))
    workflows = Workflow.objects.values_list("slug", "id", "team__slug", "default_tier")
    return Prepared(
        export=export,
        options=run.options,
        zone=ZoneInfo(run.options.get("zone") or organisation.time_zone),
        now=now,
        oldest=now - timedelta(days=settings.LEDGER_RETENTION_DAYS),
        posting=posting,
        known_workflows={slug: (pk, team or "", tier or 0) for slug, pk, team, tier in workflows},
        source=source_of(run),
    )


def source_of(run: Import) -> str:
    """The source its calls count under: what was chosen, else one of the export's own."""
    export = all_exports().get(run.options.get("known", ""))
    return run.options.get("source") or (export.source if export else DEFAULT_SOURCE)


def read(line: Mapping[str, str], prepared: Prepared) -> Brought | None:
    """A line of a known export, or of any file whose columns were mapped."""
    if prepared.export is not None:
        return _read_export(line, prepared, prepared.export)
    members: dict[str, Any] = {name: value for name, value in line.items() if name != "calls"}
    for name in WHOLE:
        if name in members:
            members[name] = whole(members[name], name)
    if "cost_usd" in members:
        members["cost_usd"] = Decimal(members["cost_usd"])
    if "T" not in members["time"]:
        members["time"] = datetime.combine(
            datetime.fromisoformat(members["time"]).date(), time(12), prepared.zone
        ).isoformat()
    if "status" in members:
        members["status"] = STATUSES.get(members["status"].casefold(), members["status"].casefold())
    calls = whole(line["calls"], "calls") if "calls" in line else 1
    if calls == 0:
        return None
    own = [f"{name}={value}" for name, value in sorted(members.items()) if name not in MEASURES]
    return brought(members, prepared, own, is_sum=calls != 1, calls=calls)


def _read_export(line: Mapping[str, str], prepared: Prepared, export: Export) -> Brought | None:
    line = {heading.casefold(): value for heading, value in line.items()}
    found = export.read(line, prepared.options)
    if found is None:
        return None
    members = dict(found.members)
    if found.tags:
        members["tags"] = dict(found.tags)
    named_by = line.get(prepared.options.get("workflow_from") or "")
    if named_by:
        members["workflow"] = named_by
    own = [f"{heading}={line.get(heading, '')}" for heading in export.identity]
    return brought(members, prepared, own, is_sum=found.is_sum, calls=found.calls)


def brought(
    members: dict[str, Any], prepared: Prepared, own: Sequence[str], *, is_sum: bool, calls: int | None
) -> Brought:
    """The calls of a line; `own` is what tells it from other lines where it states no id. Raises LineError."""
    members.setdefault("workflow", prepared.options.get("workflow") or None)
    if members["workflow"]:
        members["workflow"] = slug_of(members["workflow"])
    if not members.get("id"):
        members["id"] = _made_id(own, prepared)
    if is_sum:
        stated = {} if calls is None else {"calls": str(calls)}
        members["tags"] = {**members.get("tags", {}), AGGREGATE[0]: AGGREGATE[1], **stated}
    parts = max((-(-members.get(name, 0) // MAX_TOKENS) for name in SPLIT), default=1)
    if parts > 1 and not is_sum:
        raise LineError("input_tokens", f"No call has more than {MAX_TOKENS:,} tokens. Does the line sum many calls?")
    if parts > MOST_PARTS:
        raise LineError("input_tokens", "These counts are beyond belief.")
    events = [_event(one, prepared) for one in (_split(members, parts, calls) if parts > 1 else [members])]
    return Brought(events, is_sum, calls if is_sum else None)


def _made_id(own: Sequence[str], prepared: Prepared) -> str:
    """An id made of what the line is about: the same file again, or one that overlaps it, makes the same ids.

    Lines about the same thing are told apart by how many came before, so two like calls stay two.
    """
    digest = hashlib.blake2b("\n".join(own).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    prepared.times[digest] += 1
    times = prepared.times[digest]
    return f"line-{digest}" if times == 1 else f"line-{digest}-{times}"


def _split(members: Mapping[str, Any], parts: int, calls: int | None) -> list[dict[str, Any]]:
    """A sum that is more than a row may hold, as several rows that sum to it."""
    made = []
    for part in range(parts):
        one = {**members, "id": f"{members['id']}.{part + 1}", "tags": dict(members["tags"])}
        for name in SPLIT:
            if members.get(name):
                one[name] = _share(members[name], part, parts)
        if calls is not None:
            one["tags"]["calls"] = str(_share(calls, part, parts))
        if part:
            one.pop("units", None)
            one.pop("cost_usd", None)
        made.append(one)
    return made


def _share(amount: int, part: int, parts: int) -> int:
    return amount * (part + 1) // parts - amount * part // parts


def _event(members: Mapping[str, Any], prepared: Prepared) -> Event:
    try:
        event = in_utc(msgspec.convert({name: value for name, value in members.items() if value is not None}, Event))
        check(event, prepared.now, prepared.oldest)
    except msgspec.ValidationError as error:
        raise LineError(field_of(error), sentence(error)) from None
    except Refusal as refusal:
        raise LineError(refusal.field, refusal.detail) from None
    return event


def whole(text: str, name: str) -> int:
    number = Decimal(text)
    if number < 0 or number != number.to_integral_value():
        raise LineError(name, f"“{text[:60]}” is not a whole number from 0 on.")
    return int(number)


def slug_of(text: str) -> str:
    """A workflow's short name as it is, or made of its name: “SEO briefs” is seo-briefs."""
    if re.fullmatch(SLUG, text):
        return text
    made = slugify(text)[:128].strip("-_.")
    if not made:
        raise LineError("workflow", f"“{text[:60]}” has no letter or digit that a short name could be made of.")
    return made


def day_of(moment: datetime, prepared: Prepared) -> Any:
    """The organisation's day."""
    return moment.astimezone(UTC).astimezone(prepared.posting.zone).date()
