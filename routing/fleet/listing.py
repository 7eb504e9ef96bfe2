"""The fleet for readers: each client with what it runs, and how that stands against the newest bundle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from budgets.models import ApiKey, Organisation
from budgets.pages.moments import ago, moment
from routing.models import FleetClient
from routing.models.fleet import SETTLING

QUIET = timedelta(minutes=10)  # without a word, though clients report each minute
STATES = {
    "refused": ("Refused the newest", "over", "warn"),
    "behind": ("On an older policy", "watch", "warn"),
    "silent": ("Not heard of lately", "", "clock"),
    "current": ("On the newest", "ok", "check"),
}


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client in words."""

    row: FleetClient
    key: str
    state: str
    words: str
    tone: str
    icon: str
    runs: str
    since: str
    seen: str
    error: str


def state_of(row: FleetClient, newest: tuple[int, int] | None, now: datetime) -> str:
    """A key of STATES, of a row `with_behind`. One that refused a bundle since it last obeyed one counts as refused."""
    if now - row.seen_at > QUIET:
        return "silent"
    if row.answer == FleetClient.Answer.NACK:
        return "refused"
    behind_at: datetime | None = getattr(row, "behind_at")  # noqa: B009  annotated
    is_late = behind_at is not None and behind_at <= row.seen_at - SETTLING
    return "behind" if is_late or is_ahead(row, newest) else "current"


def is_ahead(row: FleetClient, newest: tuple[int, int] | None) -> bool:
    """Whether it obeys what this server does not know: a backup was restored without a new epoch."""
    return newest is not None and row.epoch is not None and (row.epoch, row.revision or 0) > newest


def rows_of(
    clients: Iterable[FleetClient], newest: tuple[int, int] | None, organisation: Organisation, now: datetime
) -> list[ClientRow]:
    """In the order given."""
    return [_row(one, newest, organisation, now) for one in clients]


def _row(row: FleetClient, newest: tuple[int, int] | None, organisation: Organisation, now: datetime) -> ClientRow:
    local = organisation.local
    state = state_of(row, newest, now)
    words, tone, icon = STATES[state]
    runs = "None yet" if row.revision is None else f"Revision {row.revision}"
    if state == "behind" and newest and row.revision is not None:
        behind = newest[1] - row.revision
        words = "Ahead of this server"
        if not is_ahead(row, newest):
            words = f"{behind} revision{'s' if behind > 1 else ''} behind"
    error = f"{moment(local(row.error_at), local(now))}: {row.error}" if row.error_at else ""
    return ClientRow(
        row=row,
        key=row.key.name,
        state=state,
        words=words,
        tone=tone,
        icon=icon,
        runs=runs,
        since=moment(local(row.since), local(now)),
        seen=ago(now - row.seen_at),
        error=error,
    )


def found(query: str, state: str, newest: tuple[int, int] | None, now: datetime) -> QuerySet[FleetClient]:
    """Clients that a search finds (name, software or key) in one state, or in any; worst news first."""
    rows = FleetClient.objects.with_behind().select_related("key").order_by("-answer", "-seen_at", "-pk")
    if query:
        rows = rows.filter(Q(client__icontains=query) | Q(software__icontains=query) | Q(key__name__icontains=query))
    is_silent = Q(seen_at__lt=now - QUIET)
    if state == "silent":
        return rows.filter(is_silent)
    if not state:
        return rows
    rows = rows.exclude(is_silent)
    if state == "refused":
        return rows.filter(answer=FleetClient.Answer.NACK)
    rows = rows.exclude(answer=FleetClient.Answer.NACK)
    behind = Q(behind_at__isnull=False, behind_at__lte=F("seen_at") - SETTLING)
    if newest:
        behind |= Q(epoch__gt=newest[0]) | Q(epoch=newest[0], revision__gt=newest[1])
    chosen = rows.filter(behind).values("pk")
    return rows.filter(pk__in=chosen) if state == "behind" else rows.exclude(pk__in=chosen)


def counts(newest: tuple[int, int] | None, now: datetime) -> dict[str, int]:
    """How many clients are in each state."""
    return {state: found("", state, newest, now).count() for state in STATES}


def keys_without_a_word(now: datetime) -> Sequence[ApiKey]:
    """Keys that pulled the policy in the last day, whose clients never said what they run."""
    heard = FleetClient.objects.values("key_id")
    rows = ApiKey.objects.in_force(now).filter(
        scopes__contains=[ApiKey.Scope.BUNDLE], last_used_at__gte=now - timedelta(days=1)
    )
    return list(rows.exclude(pk__in=heard).order_by("name")[:20])
