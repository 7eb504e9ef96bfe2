"""Take messages: each identity once, kept in one transaction, and only then answered. Applying them comes after."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from django.conf import settings
from django.db import connection, transaction

from budgets.models import UNASSIGNED
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION
from usage.ingest import workflows
from usage.ingest.event import Refusal, identity_key
from usage.ingest.workflows import Named
from usage.ingest.write import Answer, Sender, problem_of
from usage.outcomes.decode import Item
from usage.outcomes.message import Outcome, content_key, decided_at, nano

MOST_OF_A_RUN = 500  # messages: all of them are read whenever one comes
COLUMNS = {
    "message_id": "text", "source_id": "int", "key": "uuid", "content": "uuid", "workflow_id": "int", "run_id": "text",
    "outcome": "text", "time": "timestamptz", "reviewer": "text", "review_minutes": "numeric",
    "satisfaction": "numeric", "misrouted": "boolean", "revenue": "bigint", "minutes_saved": "numeric",
    "cases": "int", "asset": "text",
}  # fmt: skip
INSERT = f"""
INSERT INTO usage_outcomemessage ({", ".join(COLUMNS)}, received_at, entered_by_id, state, is_duplicate)
SELECT {", ".join(COLUMNS)}, %(now)s, %(entered_by)s::int, 'new', false
FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in COLUMNS.items())}) AS sent ({", ".join(COLUMNS)})
ORDER BY source_id, key
ON CONFLICT (source_id, key) WHERE taken_back_at IS NULL DO NOTHING
RETURNING id, source_id, replace(key::text, '-', '')"""
KNOWN = """
SELECT source_id, replace(key::text, '-', ''), replace(content::text, '-', '') FROM usage_outcomemessage
WHERE taken_back_at IS NULL
    AND (source_id, key) IN (SELECT source_id, key::uuid FROM unnest(%s::int[], %s::text[]) AS sent (source_id, key))"""
TAKEN = """
SELECT workflow_id, run_id, count(*) FROM usage_outcomemessage
WHERE (workflow_id, run_id) IN (SELECT * FROM unnest(%s::int[], %s::text[])) GROUP BY 1, 2"""
Identity = tuple[int | None, str]
CONFLICT = "An outcome with this id was taken before with other content. The first counts."


@dataclass(slots=True)
class Pending:
    """A message that may be taken."""

    item: Item
    message: Outcome
    identity: Identity
    content: str
    time: datetime


@dataclass(slots=True)
class Taking:
    """One batch of one sender on its way into the log. `made` are the ids of the messages that were new."""

    sender: Sender
    items: Sequence[Item]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    entered_by: int | None = None
    made: list[int] = field(default_factory=list)
    verdicts: dict[int, tuple[str, Refusal | None]] = field(default_factory=dict)

    def take(self) -> Answer:
        """Keep what can be kept, and say what happened to each item. Database errors are the caller's to answer."""
        with transaction.atomic():
            self.write()
        if self.made:
            hint_settle()
        return self.answer()

    def write(self) -> None:
        """In the caller's transaction."""
        pending = self.pending()
        if not pending:
            return
        with connection.cursor() as cursor:
            cursor.execute(f"{HOLD_CONFIGURATION}; SELECT generation FROM budgets_organisation WHERE id = 1")
            cursor.nextset()
            generation = cursor.fetchone()[0]
            slugs = {one.message.workflow or UNASSIGNED for one in pending}
            known = workflows.current(generation).resolve(slugs)
            pending = [one for one in pending if self.may_name(one, known)]
            pending = self.with_room(cursor, pending, known)
            cursor.execute(INSERT, self.columns(pending, known) | {"now": self.now, "entered_by": self.entered_by})
            made = {(source, key): pk for pk, source, key in cursor.fetchall()}
            self.made = [made[one.identity] for one in pending if one.identity in made]
            late = [one for one in pending if one.identity not in made]
            if late:
                before = self.known_before(cursor, late)
                for one in late:
                    self.seen_before(one, before.get(one.identity, one.content))

    @staticmethod
    def known_before(cursor: Any, asked: Sequence[Pending]) -> dict[Identity, str]:
        """Identity → content of those that were taken before."""
        cursor.execute(KNOWN, [[one.identity[0] for one in asked], [one.identity[1] for one in asked]])
        return {(source, key): content for source, key, content in cursor.fetchall()}

    def pending(self) -> list[Pending]:
        """Those that are possible and not repeated within the batch itself."""
        oldest = self.now - timedelta(days=settings.LEDGER_RETENTION_DAYS)
        first: dict[Identity, Pending] = {}
        for item in self.items:
            if item.refusal is not None or item.message is None:
                self.verdicts[item.index] = ("rejected", item.refusal)
                continue
            try:
                time, message = decided_at(item.message, self.now, oldest), item.message
                content = content_key(message)
                one = Pending(item, message, self.identity_of(message, content), content, time)
            except Refusal as refusal:
                self.verdicts[item.index] = ("rejected", refusal)
                continue
            earlier = first.setdefault(one.identity, one)
            if earlier is not one:
                self.seen_before(one, earlier.content)
        return list(first.values())

    def identity_of(self, message: Outcome, content: str) -> Identity:
        """By its own id; without one by its content, where that says when it was decided."""
        if self.entered_by is not None:
            return None, uuid4().hex
        source = self.sender.source_id
        if message.source is not None and message.source != self.sender.source:
            if message.source not in self.sender.allowed:
                sentence = f"This key may not send for the source {message.source!r}."
                raise Refusal("source-not-allowed", sentence, "source")
            source = self.sender.allowed[message.source]
        if message.id is not None:
            return source, identity_key(message.id)
        return source, content if message.time is not None else uuid4().hex

    def seen_before(self, one: Pending, content: str) -> None:
        """The identity was taken: the same content is a duplicate, any difference a conflict."""
        same = one.content == content
        self.verdicts[one.item.index] = ("duplicate", None) if same else ("conflict", Refusal("conflict", CONFLICT))

    def may_name(self, one: Pending, known: dict[str, Named]) -> bool:
        """Whether the sender may speak of the workflow; an unknown one was discovered, as by an event."""
        slug = one.message.workflow or UNASSIGNED
        if slug not in known:
            sentence = f"The workflow {slug!r} is new, and too many were made already."
            self.verdicts[one.item.index] = ("rejected", Refusal("too-many-workflows", sentence, "workflow"))
        elif self.sender.teams and known[slug].team and known[slug].team not in self.sender.teams:
            sentence = f"This key may not send outcomes of the workflow {slug!r}."
            self.verdicts[one.item.index] = ("rejected", Refusal("team-not-allowed", sentence, "workflow"))
        else:
            return True
        return False

    def with_room(self, cursor: Any, pending: list[Pending], known: dict[str, Named]) -> list[Pending]:
        """Without those of runs that have as many messages as are read for one run."""
        keys = [(known[one.message.workflow or UNASSIGNED].id, one.message.run_id or "") for one in pending]
        cursor.execute(TAKEN, [[workflow for workflow, _ in keys], [run for _, run in keys]])
        taken = Counter({(workflow, run): count for workflow, run, count in cursor.fetchall()})
        coming = Counter(keys)
        close = [one for one, key in zip(pending, keys, strict=True) if taken[key] + coming[key] > MOST_OF_A_RUN]
        again = self.known_before(cursor, close) if close else {}
        room = []
        for one, key in zip(pending, keys, strict=True):
            if one.identity in again:  # is no more than what is there
                room.append(one)
                continue
            taken[key] += 1
            if taken[key] > MOST_OF_A_RUN:
                sentence = f"This run has {MOST_OF_A_RUN} outcomes already; it takes no more."
                self.verdicts[one.item.index] = ("rejected", Refusal("too-many-outcomes", sentence, "run_id"))
            else:
                room.append(one)
        return room

    def columns(self, pending: Sequence[Pending], known: dict[str, Named]) -> dict[str, list[Any]]:
        """A list for each of COLUMNS."""
        rows = [
            {
                "message_id": one.message.id or "",
                "source_id": one.identity[0],
                "key": one.identity[1],
                "content": one.content,
                "workflow_id": known[one.message.workflow or UNASSIGNED].id,
                "time": one.time,
                "reviewer": one.message.reviewer or "",
                "revenue": nano(one.message.revenue_usd),
                "asset": one.message.asset or "",
                **{
                    name: getattr(one.message, name)
                    for name in (
                        "run_id",
                        "outcome",
                        "review_minutes",
                        "satisfaction",
                        "misrouted",
                        "minutes_saved",
                        "cases",
                    )
                },
            }
            for one in pending
        ]
        return {name: [row[name] for row in rows] for name in COLUMNS}

    def answer(self) -> Answer:
        """As for events: counts, and the items that were not accepted."""
        counts = Counter(status for status, _ in self.verdicts.values())
        taken = len(self.items) - len(self.verdicts)
        answer = Answer(taken, counts["duplicate"], counts["conflict"], counts["rejected"])
        for item in self.items:
            if item.index not in self.verdicts:
                continue
            status, refusal = self.verdicts[item.index]
            said: dict[str, Any] = {"index": item.index, "id": item.sent_id, "status": status}
            if refusal is not None:
                said["problem"] = problem_of(refusal) | {"title": TITLES.get(status, "Outcome refused")}
            answer.items.append(said)
        return answer


TITLES = {"conflict": "Conflicting outcome"}


def with_id(item: Item, message_id: str) -> None:
    """Give a message without an id of its own this one, as a header states it."""
    if item.message is not None and item.message.id is None:
        item.message, item.sent_id = msgspec.structs.replace(item.message, id=message_id), message_id
