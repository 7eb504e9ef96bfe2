"""Send a marked test to the channels of a rule."""

from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from budgets.alerts.rules import RefusedRule
from budgets.audit.record import Actor, record
from budgets.delivery.message import Fact, Message
from budgets.delivery.queue import queue
from budgets.models import AlertRule
from routing.alerts.words import rule_sentence


@transaction.atomic
def send_trial(actor: Actor, rule: AlertRule, now: datetime | None = None) -> list[str]:
    """A message that says that it is a test to each channel of the rule, muted or not; the channels' names.

    Raises RefusedRule where it is archived or tells no channel.
    """
    now = now or timezone.now()
    channels = list(rule.channels.filter(archived_at=None).order_by("name"))
    if rule.archived_at is not None:
        raise RefusedRule("This rule is archived. Nothing was sent.")
    if not channels:
        raise RefusedRule("This rule tells no channel, so nothing was sent. Choose a channel first.")
    for channel in channels:
        message = Message(
            kind="test",
            title=f"This is how “{rule.name}” will tell {channel.name}",
            text=f"{actor.text} asked for this test. Nothing happened.",
            facts=(Fact("Rule", rule_sentence(rule)),),
            path=reverse("alert-rule", args=[rule.pk]),
            open_label="Open the rule",
            test=True,
        )
        queue(message, f"test:rule:{rule.pk}:{channel.pk}:{now.timestamp()}", channel=channel)
    record(actor, "tested", rule, None, None)
    return [one.name for one in channels]
