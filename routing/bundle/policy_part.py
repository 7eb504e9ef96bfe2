"""What a bundle says of the policy itself: tiers with what their models cost and do, rules, snippets, clock changes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from routing.bundle import content as say
from routing.bundle.canonical import exact
from routing.models import ModelMeasure, PolicyVersion, Snippet, SnippetVersion, Tier
from usage.models import PriceEntry

CHANGES = 2  # of the clocks, told ahead
FAR = timedelta(days=800)
LOOK_AGAIN = timedelta(days=30)
LATENCY_STEP = 50  # milliseconds: measured figures are told no finer, so that a bundle is not a meter
ENOUGH = 20  # calls, or reviewed runs, before a measured figure is told
NANO_PER_DOLLAR = 1_000_000_000

Named = tuple[str, str]


def read_policy() -> say.PolicyContent:
    """The version in force; before any was published, a policy without rules."""
    live = PolicyVersion.objects.filter(live=True).first()
    document: dict[str, Any] = exact(live.document) if live else {}
    return say.PolicyContent(
        version=(live.number or 0) if live else 0,
        unlisted_models=document.get("unlisted_models", "allow"),
        rules=document.get("rules", []),
        otherwise=document.get("otherwise", {}),
        daily_tokens=document.get("daily_tokens", {}),
    )


def read_tiers(prices: Mapping[Named, PriceEntry]) -> list[say.TierContent]:
    """Cheapest first. `prices`: what each listed model costs now."""
    measured = {(row.provider, row.model): row for row in ModelMeasure.objects.all()}
    return [
        say.TierContent(
            number=tier.number,
            name=tier.name,
            needs_approval=tier.needs_approval,
            review_note=tier.review_note,
            models=[tier_model(entry, prices, measured) for entry in tier.models],
        )
        for tier in Tier.objects.order_by("number")
    ]


def tier_model(
    entry: Mapping[str, Any], prices: Mapping[Named, PriceEntry], measured: Mapping[Named, ModelMeasure]
) -> say.TierModel:
    named = (entry["provider"], entry["model"])
    measure, price = measured.get(named), prices.get(named)
    return say.TierModel(
        provider=named[0],
        model=named[1],
        latency_ms=entry.get("latency_ms") or (told_latency(measure) if measure else None),
        quality=entry.get("quality") or (told_quality(measure) if measure else None),
        prices=price_steps(price) if price else [],
    )


def told_latency(measure: ModelMeasure) -> int | None:
    """The median, rounded up to the next 50 ms."""
    if measure.latency_ms is None or measure.calls < ENOUGH:
        return None
    return -(-measure.latency_ms // LATENCY_STEP) * LATENCY_STEP


def told_quality(measure: ModelMeasure) -> str | None:
    """The approved share of reviewed runs, in hundredths."""
    if measure.reviewed_runs < ENOUGH:
        return None
    return say.decimal_text(round(Decimal(measure.approved_runs) / measure.reviewed_runs, 2))


def price_steps(entry: PriceEntry) -> list[say.PriceStep]:
    """Standard prices by length of the input, in nano-dollars a million tokens, rounded up. Hours are left out."""
    steps = [say.PriceStep(from_input_tokens=0, input=nano(entry.input), output=nano(entry.output))]
    for step in sorted(entry.steps or [], key=lambda one: int(one["from_input_tokens"])):
        before = steps[-1]
        steps.append(
            say.PriceStep(
                from_input_tokens=int(step["from_input_tokens"]),
                input=nano(step.get("input"), before.input),
                output=nano(step.get("output"), before.output),
            )
        )
    return steps


def nano(price: Decimal | str | None, otherwise: int | None = None) -> int | None:
    """Dollars a million tokens as whole nano-dollars, rounded up."""
    return otherwise if price is None else -int(-(Decimal(price) * NANO_PER_DOLLAR) // 1)


def read_snippets() -> tuple[dict[str, say.SnippetContent], dict[int, list[str]]]:
    """Snippets in use by id, and the ids that each workflow (by its key) may use. Two statements, without any text."""
    newest = SnippetVersion.objects.filter(snippet__archived_at=None).order_by("snippet__slug", "-number")
    rows = newest.distinct("snippet__slug").values_list("snippet__slug", "number", "snippet__kind", "digest", "tokens")
    told = {slug: say.SnippetContent(number, kind, digest, tokens) for slug, number, kind, digest, tokens in rows}
    allowed: dict[int, list[str]] = defaultdict(list)
    if not told:
        return told, allowed
    pairs = Snippet.workflows.through.objects.filter(snippet__archived_at=None).order_by("snippet__slug")
    for workflow, slug in pairs.values_list("workflow_id", "snippet__slug"):
        if slug in told:
            allowed[workflow].append(slug)
    return told, allowed


def utc_offsets(zone: ZoneInfo, now: datetime) -> list[say.Offset]:
    """The offset in force, since its change, and the next two.

    Found once per process and zone, and anew after the next change or a month: bundles are compiled each second.
    """
    known = _offsets.get(str(zone))
    if known is None or not known.holds_from <= now < known.holds_until:
        known = _offsets[str(zone)] = find_offsets(zone, now)
    return list(known.offsets)


class Found(NamedTuple):
    """Offsets, and between which instants they are the answer."""

    holds_from: datetime
    holds_until: datetime
    offsets: tuple[say.Offset, ...]


_offsets: dict[str, Found] = {}


def find_offsets(zone: ZoneInfo, now: datetime) -> Found:
    """Looks through the days around `now`, some hundred at least."""
    since = last_change(zone, now)
    changes: list[datetime] = []
    while len(changes) < CHANGES and (change := next_change(zone, changes[-1] if changes else now)) is not None:
        changes.append(change)
    told = [(since, now), *((change, change) for change in changes)]
    offsets = tuple(say.Offset(say.instant(begins), minutes(zone, within)) for begins, within in told)
    # Where no change is near, one may come into sight.
    return Found(since, min([now + LOOK_AGAIN, *changes]), offsets)


def minutes(zone: ZoneInfo, when: datetime) -> int:
    offset = when.astimezone(zone).utcoffset() or timedelta(0)
    return int(offset.total_seconds() // 60)


def next_change(zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first instant after it with another offset, within the far future; to the minute."""
    return _change(zone, [after + timedelta(days=n) for n in range(FAR.days)])


def last_change(zone: ZoneInfo, before: datetime) -> datetime:
    """Since when the offset of `before` holds; the year 2000 where it has long been the same."""
    days = [before - timedelta(days=n) for n in range(FAR.days)]
    for later, earlier in pairwise(days):
        if minutes(zone, earlier) != minutes(zone, before):
            return _between(zone, earlier, later)
    return datetime(2000, 1, 1, tzinfo=UTC)


def _change(zone: ZoneInfo, days: Iterable[datetime]) -> datetime | None:
    earlier: datetime | None = None
    for day in days:
        if earlier is not None and minutes(zone, day) != minutes(zone, earlier):
            return _between(zone, earlier, day)
        earlier = day
    return None


def _between(zone: ZoneInfo, earlier: datetime, later: datetime) -> datetime:
    """The minute at which the later offset begins, by halves."""
    old = minutes(zone, earlier)
    low, high = int(earlier.timestamp() // 60), int(later.timestamp() // 60)
    while high - low > 1:
        middle = (low + high) // 2
        if minutes(zone, datetime.fromtimestamp(middle * 60, UTC)) == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high * 60, UTC)
