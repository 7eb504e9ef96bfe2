"""What would happen if a body were sent now. Nothing is written: claims, prices and workflows are only read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from budgets.access.problems import Problem
from budgets.models import Organisation
from usage.ingest import workflows
from usage.ingest.event import Refusal
from usage.ingest.post import Posting, ledger_row, workflow_slug
from usage.ingest.requeue import Again, items_of, sender_of
from usage.ingest.workflows import Named
from usage.ingest.write import CLAIMED_BEFORE, Intake, Pending, item_id
from usage.ledger.append import raw_cursor
from usage.models import QuarantinedItem
from usage.prices import book as price_book


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of one event. `status` as in an answer; cost in nano-dollars, None where it is unknown."""

    event_id: str
    status: str
    said: str = ""
    field: str = ""
    code: str = ""
    time: datetime | None = None
    posted_at: datetime | None = None
    workflow: str = ""
    is_new_workflow: bool = False
    cost: int | None = None
    measured: bool = True

    @property
    def is_good(self) -> bool:
        return self.status in {"accepted", "duplicate"}


def rehearse(item: QuarantinedItem, text: str, now: datetime) -> list[Verdict]:
    """A verdict for each event in the body."""
    try:
        items = items_of(text)
    except Problem as problem:
        return [Verdict("", "rejected", problem.detail or problem.title, code=problem.code)]
    intake = Again(sender_of(item), items, now)
    pending = intake.check_all()
    claimed = contents_of(pending)
    organisation = Organisation.get()
    posting = Posting(
        generation=organisation.generation,
        batch_id=0,
        received_at=now,
        closed_before=organisation.closed_before,
        zone=ZoneInfo(organisation.time_zone),
        prices=price_book.current(organisation.generation),
    )
    known = workflows.current(organisation.generation).by_slug
    found: dict[int, Verdict] = {}
    for one in pending:
        content = claimed.get((one.source_id, one.key))
        if content is not None:
            intake.seen_before(one, content)
        else:
            found[one.item.index] = verdict_of(intake, one, known, posting)
    for index, (status, refusal) in intake.verdicts.items():
        found[index] = refused(item_id(items[index]), status, refusal)
    return [found[item.index] for item in items if item.index in found]


def contents_of(pending: list[Pending]) -> dict[tuple[int, str], str]:
    """The contents under which these identities were taken before."""
    if not pending:
        return {}
    cursor = raw_cursor()
    cursor.execute(CLAIMED_BEFORE, ([one.source_id for one in pending], [one.key for one in pending]))
    return {(source, key): content for source, key, content, _ in cursor.fetchall()}


def verdict_of(intake: Intake, one: Pending, known: dict[str, Named], posting: Posting) -> Verdict:
    """The event as it would be posted; refused where its cost is beyond belief."""
    slug = workflow_slug(one.event)
    try:
        row = ledger_row(one.event, one.source_id, known.get(slug) or Named(0, slug, "", 0), posting)
    except Refusal as refusal:
        intake.refuse(one, refusal)
        return refused(one.event.id, "rejected", refusal)
    return Verdict(
        one.event.id, "accepted", time=row.time, posted_at=row.posted_at, workflow=slug,
        is_new_workflow=slug not in known, cost=row.cost, measured=row.measured,
    )  # fmt: skip


def refused(event_id: str, status: str, refusal: Any) -> Verdict:
    """A refusal, conflict or repetition."""
    if refusal is None:
        return Verdict(event_id, status, "It is in the ledger already; it would not be counted twice.")
    return Verdict(event_id, status, refusal.detail, refusal.field, refusal.code)
