"""Send what was refused once more, as it came or as corrected. Refused again, it stays open with the new reason."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.models import Source
from usage.ingest.decode import CLOUD_EVENT, CLOUD_EVENTS, Item, decode
from usage.ingest.write import Answer, Intake, Sender, take
from usage.models import QuarantinedItem

MOST = 1_000  # events in one body


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it, in a sentence; `taken` says that nothing is left to mend."""

    taken: bool
    said: str


class Again(Intake):
    """What is refused again is in the quarantine already."""

    def keep_refused(self, cursor: Any) -> None:
        """Kept where it is, by `refuse_again`."""


def sender_of(item: QuarantinedItem) -> Sender:
    """Whoever sends it again answers for it, so it may name any source that there is."""
    source = Source.objects.get(pk=item.source_id)
    return Sender(source.pk, source.slug, dict(Source.objects.values_list("slug", "pk")))


def items_of(text: str) -> list[Item]:
    """The events in a body; Problem where it cannot be split."""
    kind = ""
    if '"specversion"' in text:
        kind = CLOUD_EVENTS if text.lstrip().startswith("[") else CLOUD_EVENT
    return decode(text.encode("utf-8", "replace"), kind, {}, MOST)


def send_again(actor: Actor, item: QuarantinedItem) -> str:
    """`send_now` as a sentence."""
    return send_now(actor, item).said


def send_now(actor: Actor, item: QuarantinedItem) -> Sent:
    """Take the item for its source. Ids are claimed, so that two who send it at once count it once."""
    if item.status == QuarantinedItem.Status.REPLAYED:
        return Sent(True, "It was sent again before; nothing was sent now.")
    try:
        answer = take(sender_of(item), items_of(item.to_send), Again)
    except Problem as problem:
        return refuse_again(item, problem.code, problem.as_dict(), Answer())
    if answer.rejected or answer.conflict:
        first: dict[str, Any] = next(one for one in answer.items if "problem" in one)
        return refuse_again(item, first["problem"]["type"].rpartition("/")[2], first["problem"], answer)
    with transaction.atomic():
        open_still = QuarantinedItem.objects.filter(pk=item.pk).exclude(status=QuarantinedItem.Status.REPLAYED)
        if open_still.update(status=QuarantinedItem.Status.REPLAYED, tried_at=timezone.now()):
            record(actor, "sent again", item, None, answer.as_dict())
    item.status = QuarantinedItem.Status.REPLAYED
    return Sent(True, counted(answer))


def refuse_again(item: QuarantinedItem, code: str, problem: dict[str, Any], answer: Answer) -> Sent:
    """Keep the new reason. Events of the same body that were taken stay taken: sent again, they count once."""
    item.code, item.problem, item.tried_at = code[:64], problem, timezone.now()
    item.save(update_fields=["code", "problem", "tried_at"])
    why = problem.get("detail") or problem.get("title", "")
    if not answer.accepted:
        return Sent(False, f"Still refused: {why}")
    left = answer.rejected + answer.conflict
    return Sent(False, f"Still refused: {left} of {left + answer.accepted} events, the first because: {why}")


def counted(answer: Answer) -> str:
    """What was taken, in words."""
    if answer.accepted:
        return f"Taken: {answer.accepted} event{'s' if answer.accepted != 1 else ''}."
    return "It was in the ledger already; nothing was counted twice."
