"""Send a quarantined item once more, as it is or corrected."""

from django.db import transaction

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.models import Source
from usage.ingest.decode import CLOUD_EVENT, decode
from usage.ingest.write import Answer, Sender, take
from usage.models import QuarantinedItem


def send_again(actor: Actor, item: QuarantinedItem) -> str:
    """Take the item's body for its source; a sentence that says what happened. What is refused again stays open."""
    source = Source.objects.get(pk=item.source_id)
    sender = Sender(source.pk, source.slug, dict(Source.objects.values_list("slug", "pk")))
    body = item.body.encode()
    try:
        answer = take(sender, decode(body, CLOUD_EVENT if '"specversion"' in item.body else "", {}, 1_000))
    except Problem as problem:
        return f"Still refused: {problem.detail or problem.title}"
    if answer.rejected or answer.conflict:
        return f"Still refused: {answer.items[0]['problem']['detail']}"
    with transaction.atomic():
        item.status = QuarantinedItem.Status.REPLAYED
        item.save(update_fields=["status"])
        record(actor, "sent again", item, None, answer.as_dict())
    return counted(answer)


def counted(answer: Answer) -> str:
    """What was taken, in words."""
    if answer.accepted:
        return f"Taken: {answer.accepted} event{'s' if answer.accepted != 1 else ''}."
    return "It was in the ledger already; nothing was counted twice."
