"""Take a batch: claim, price, append, charge and quarantine in one transaction, and only then answer."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from django.conf import settings
from django.db import transaction
from msgspec import Struct

from budgets.access.problems import TYPE_BASE
from budgets.limits import book as budget_book
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION
from usage.ingest import quarantine, workflows
from usage.ingest.decode import Item, body_of
from usage.ingest.event import Event, Refusal, check, content_key, identity_key, in_utc
from usage.ingest.post import Posting, ledger_row, workflow_slug
from usage.ledger.append import append, raw_cursor
from usage.ledger.partitions import ensure_months
from usage.ledger.row import Entry
from usage.prices import book as price_book
from usage.prices.cost import AGGREGATE

logger = logging.getLogger(__name__)

ENTER = f"""
{HOLD_CONFIGURATION};
SELECT generation, closed_before, time_zone, nextval('usage_ingestbatch_id_seq') FROM budgets_organisation WHERE id = 1
"""
CLAIM = """
WITH fresh AS (
    INSERT INTO usage_claim (source_id, key, content, claimed_on, sent_too)
    SELECT source_id::int, key::uuid, content::uuid, %(today)s::date, %(sent_too)s::boolean
    FROM unnest(string_to_array(%(sources)s, ','), string_to_array(%(keys)s, ','), string_to_array(%(contents)s, ','))
        AS claim (source_id, key, content)
    ORDER BY source_id, key COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING source_id, key
)
SELECT count(*), CASE WHEN count(*) < %(wanted)s THEN array_agg(source_id) END,
    CASE WHEN count(*) < %(wanted)s THEN array_agg(encode(uuid_send(key), 'hex')) END
FROM fresh
"""
ENTER_AND_CLAIM = f"{ENTER}; {CLAIM}"  # one message: a round trip costs more than the statements
UNCLAIM = """
DELETE FROM usage_claim WHERE (source_id, key) IN
    (SELECT source_id, key::uuid FROM unnest(%s::int[], %s::text[]) AS claim (source_id, key))
"""
CLAIMED_BEFORE = """
SELECT source_id, encode(uuid_send(key), 'hex'), encode(uuid_send(content), 'hex'), sent_too FROM usage_claim
WHERE (source_id, key) IN (SELECT source_id, key::uuid FROM unnest(%s::int[], %s::text[]) AS claim (source_id, key))
"""
# What an import brought and its sender now sends as well outlasts the import's undo. In order, against deadlocks.
SENT_TOO = """
WITH ours AS (
    SELECT source_id, key FROM usage_claim
    WHERE (source_id, key, content) IN (SELECT source_id, key::uuid, content::uuid
        FROM unnest(%s::int[], %s::text[], %s::text[]) AS sent (source_id, key, content))
    ORDER BY source_id, key FOR UPDATE
)
UPDATE usage_claim SET sent_too = true FROM ours
WHERE usage_claim.source_id = ours.source_id AND usage_claim.key = ours.key
RETURNING usage_claim.source_id, encode(uuid_send(usage_claim.key), 'hex')
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose events these are: the source they count under unless they name another allowed one."""

    source_id: int
    source: str
    allowed: dict[str, int] = field(default_factory=dict)  # slug → id, its own source included
    teams: frozenset[str] = frozenset()  # short names of those whose usage it may send; empty: everybody's


class Pending(Struct, gc=False):
    """An event that may be taken, on its way through the steps below. Keys are hex."""

    item: Item
    event: Event
    source_id: int
    key: str
    content: str


@dataclass(slots=True)
class Answer:
    """What happened to each item; `items` lists those not accepted, in the order sent."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "conflict": self.conflict,
            "rejected": self.rejected,
            "items": self.items,
        }


class Intake:
    """One batch of one sender on its way into the ledger."""

    def __init__(
        self, sender: Sender, items: Sequence[Item], now: datetime | None = None, *, is_import: bool = False
    ) -> None:
        self.sender = sender
        self.is_import = is_import
        self.items = items
        self.now = now or datetime.now(UTC)
        self.verdicts: dict[int, tuple[str, Refusal | None]] = {}
        self.first: dict[tuple[int, str], Pending] = {}
        self.repeats: dict[tuple[int, str], list[Pending]] = {}

    def take(self) -> Answer:
        """Write what can be written and say what happened to each item. Database errors are the caller's to answer."""
        pending = self.check_all()
        if pending:
            ensure_months({self.now, *(one.event.time for one in pending)})
        with transaction.atomic():
            cursor = raw_cursor()
            taken = self.write(cursor, pending) if pending else []
            self.keep_refused(cursor)
        if taken:
            hint_settle()
        return self.answer()

    def check_all(self) -> list[Pending]:
        """Events that are possible and not repeated within the batch itself."""
        oldest = self.now - timedelta(days=settings.LEDGER_RETENTION_DAYS)
        for item in self.items:
            if item.refusal is not None or item.event is None:
                self.verdicts[item.index] = ("rejected", item.refusal)
                continue
            try:
                event = in_utc(item.event)
                check(event, self.now, oldest)
                if event.tags and not self.is_import:
                    refuse_aggregate(event.tags)
                one = Pending(item, event, self.source_of(event), identity_key(event.id), content_key(event))
            except Refusal as refusal:
                self.verdicts[item.index] = ("rejected", refusal)
                continue
            earlier = self.first.setdefault((one.source_id, one.key), one)
            if earlier is not one:
                self.repeats.setdefault((one.source_id, one.key), []).append(one)
                self.seen_before(one, earlier.content)
        return list(self.first.values())

    def source_of(self, event: Event) -> int:
        if event.source is None or event.source == self.sender.source:
            return self.sender.source_id
        try:
            return self.sender.allowed[event.source]
        except KeyError:
            raise Refusal(
                "source-not-allowed", f"This key may not send for the source {event.source!r}.", "source"
            ) from None

    def seen_before(self, one: Pending, content: str) -> None:
        """The identity was taken: the same content is a duplicate, any difference a conflict."""
        if one.content == content:
            self.verdicts[one.item.index] = ("duplicate", None)
        else:
            refusal = Refusal(
                "conflict", "An event with this id was taken before with other content. The first counts."
            )
            self.verdicts[one.item.index] = ("conflict", refusal)

    def write(self, cursor: Any, pending: list[Pending]) -> list[Entry]:
        """Inside the transaction: hold the configuration still, claim, price what is new, append."""
        posting, fresh = self.enter(cursor, pending)
        rows = self.price(cursor, fresh, posting)
        if rows:
            append(
                cursor,
                batch_id=posting.batch_id,
                generation=posting.generation,
                source_id=self.sender.source_id,
                received_at=self.now,
                rows=rows,
                budgets=budget_book.current(posting.generation),
            )
        return rows

    def enter(self, cursor: Any, pending: list[Pending]) -> tuple[Posting, list[Pending]]:
        """Under which generation this batch is posted, and which of its identities are new.

        Identities are claimed in sorted order, against deadlocks; contents are compared only for those there already.
        """
        cursor.execute(ENTER_AND_CLAIM, self.claims(pending))
        cursor.nextset()
        generation, closed_before, time_zone, batch_id = cursor.fetchone()
        cursor.nextset()
        count, sources, keys = cursor.fetchone()
        prices = price_book.current(generation)
        posting = Posting(generation, batch_id, self.now, closed_before, ZoneInfo(time_zone), prices)
        if count == len(pending):
            return posting, pending
        return posting, self.told_apart(cursor, pending, sources, keys)

    def claims(self, pending: list[Pending]) -> dict[str, Any]:
        """As text: psycopg would quote each element of an array apart, which takes longer than the insert itself."""
        return {
            "today": self.now.date(),
            "sources": ",".join([str(one.source_id) for one in pending]),
            "keys": ",".join([one.key for one in pending]),
            "contents": ",".join([one.content for one in pending]),
            "wanted": len(pending),
            "sent_too": False if self.is_import else None,
        }

    def told_apart(
        self, cursor: Any, pending: list[Pending], sources: Sequence[int] | None, keys: Sequence[str] | None
    ) -> list[Pending]:
        """Those whose identities were claimed just now, `sources` with `keys`; of the others it is said what they are.

        Between the two statements a withdrawal may give an identity back: it is claimed again.
        """
        claimed = set(zip(sources or (), keys or (), strict=True))
        fresh = [one for one in pending if (one.source_id, one.key) in claimed]
        late = [one for one in pending if (one.source_id, one.key) not in claimed]
        cursor.execute(CLAIMED_BEFORE, ([one.source_id for one in late], [one.key for one in late]))
        before = {(source, key): told for source, key, *told in cursor.fetchall()}
        free, imported = [], []
        for one in late:
            content, sent_too = before.get((one.source_id, one.key), (None, None))
            if content is None:
                free.append(one)
            elif sent_too is False and content == one.content and not self.is_import:
                imported.append(one)
            else:
                self.seen_before(one, content)
        if imported:
            free += self.sent_too(cursor, imported)
        if not free:
            return fresh
        cursor.execute(CLAIM, self.claims(free))
        count, sources, keys = cursor.fetchone()
        return fresh + (free if count == len(free) else self.told_apart(cursor, free, sources, keys))

    def sent_too(self, cursor: Any, imported: Sequence[Pending]) -> list[Pending]:
        """Note that these, which an import brought, were sent as well; those that its undo took meanwhile are free."""
        sent = [[getattr(one, name) for one in imported] for name in ("source_id", "key", "content")]
        cursor.execute(SENT_TOO, sent)
        stand = set(cursor.fetchall())
        for one in imported:
            if (one.source_id, one.key) in stand:
                self.seen_before(one, one.content)
        return [one for one in imported if (one.source_id, one.key) not in stand]

    def price(self, cursor: Any, fresh: list[Pending], posting: Posting) -> list[Entry]:
        """The ledger rows of all that can have one; the claims of the others are given back."""
        if not fresh:
            return []
        known = workflows.current(posting.generation).resolve(workflow_slug(one.event) for one in fresh)
        rows, refused = [], []
        for one in fresh:
            slug = workflow_slug(one.event)
            try:
                if slug not in known:
                    raise Refusal(
                        "too-many-workflows", f"The workflow {slug!r} is new, and too many were made already."
                    )
                row = ledger_row(one.event, one.source_id, known[slug], posting)
                if self.sender.teams and row.team and row.team not in self.sender.teams:
                    said = f"This key may not send usage of the workflow {slug!r}."
                    raise Refusal("team-not-allowed", said, "workflow")
                rows.append(Entry(row, known[slug].slug, one.event.tags))
            except Refusal as refusal:
                self.refuse(one, refusal)
                refused.append(one)
        if refused:
            cursor.execute(UNCLAIM, ([one.source_id for one in refused], [one.key for one in refused]))
        return rows

    def refuse(self, one: Pending, refusal: Refusal) -> None:
        """Refuse an event after all; what repeats it in this batch was judged as if it had been taken."""
        self.verdicts[one.item.index] = ("rejected", refusal)
        for repeat in self.repeats.get((one.source_id, one.key), ()):
            if repeat.content != one.content:
                refusal = Refusal(
                    "repeats-a-refused", "The event with this id before it was refused. Send this one alone."
                )
            self.verdicts[repeat.item.index] = ("rejected", refusal)

    def keep_refused(self, cursor: Any) -> None:
        """Rejected and conflicting items go to quarantine, in the same transaction as the answer's other half."""
        by_index = {item.index: item for item in self.items}
        quarantine.keep(
            cursor,
            self.sender.source_id,
            [
                quarantine.Refused(
                    body_of(by_index[index]), item_id(by_index[index]), refusal.code, problem_of(refusal)
                )
                for index, (_, refusal) in self.verdicts.items()
                if refusal is not None
            ],
        )

    def answer(self) -> Answer:
        """Counts, and the items that were not accepted."""
        counts = Counter(status for status, _ in self.verdicts.values())
        answer = Answer(
            len(self.items) - len(self.verdicts), counts["duplicate"], counts["conflict"], counts["rejected"]
        )
        for item in self.items:
            if item.index not in self.verdicts:
                continue
            status, refusal = self.verdicts[item.index]
            said: dict[str, Any] = {"index": item.index, "id": item_id(item), "status": status}
            if refusal is not None:
                said["problem"] = problem_of(refusal)
            answer.items.append(said)
        return answer


def take(sender: Sender, items: Sequence[Item], intake: type[Intake] = Intake) -> Answer:
    """Take a batch. Should the database refuse a value that the checks let through, only that item is refused.

    Other database errors are the caller's to answer; nothing was taken then.
    """
    try:
        return intake(sender, items).take()
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        logger.exception("A value passed the checks and was refused by the database")
        if len(items) > 1:
            return merged(take(sender, [item], intake) for item in items)
        items[0].refusal = Refusal("cannot-be-stored", f"The database refused a value: {str(error).splitlines()[0]}")
        return intake(sender, items).take()


def refuse_aggregate(tags: dict[str, str]) -> None:
    """Refusal of the tag by which an import marks a sum of calls: it changes which price holds."""
    if tags.get(AGGREGATE[0]) == AGGREGATE[1]:
        raise Refusal("reserved-tag", "The tag imported=aggregate is kept for imports. Leave it out.", "tags")


def merged(answers: Iterable[Answer]) -> Answer:
    """One answer for all."""
    total = Answer()
    for answer in answers:
        total.accepted += answer.accepted
        total.duplicate += answer.duplicate
        total.conflict += answer.conflict
        total.rejected += answer.rejected
        total.items += answer.items
    return total


def item_id(item: Item) -> str:
    return item.event.id if item.event is not None else item.sent_id


def problem_of(refusal: Refusal) -> dict[str, Any]:
    """RFC 9457 members of one refusal."""
    conflict = refusal.code == "conflict"
    document = {
        "type": TYPE_BASE + refusal.code,
        "title": "Conflicting event" if conflict else "Event refused",
        "status": 409 if conflict else 422,
        "detail": refusal.detail,
    }
    return document | ({"field": refusal.field} if refusal.field else {})
