"""Tell people of a request: whoever decides it, whoever asked, and the channels that want to hear of them.

All of it is queued in the transaction of what it tells of. A person is told by e-mail unless they do not want that, and
by Slack where we know who they are there.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

from budgets.approvals import words
from budgets.approvals.rules import administrators, lack_of_deciders, who_may_decide
from budgets.currency.shown import organisations, show, shown
from budgets.delivery.message import Fact, Message
from budgets.delivery.queue import queue
from budgets.models import ApprovalRequest, Channel, Delivery, Organisation, Profile

ASKS = ("request", "second", "reminder")  # kinds of messages that ask for a decision
MOST_SENTENCES = 3  # of what a policy changes
EMAIL, SLACK = "email", "slack"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes: a channel, or one person's address."""

    transport: str
    address: str
    channel: Channel | None = None

    @property
    def key(self) -> str:
        return f"channel-{self.channel.pk}" if self.channel else f"{self.transport}:{self.address}"


def opened(request: ApprovalRequest, now: datetime) -> None:
    """Ask whoever is first, or everybody who may decide; where nobody can, administrators are told so."""
    first = request.first_asked
    people = [first] if first else list(who_may_decide(request))
    said = lack_of_deciders(request)
    if said:
        people = list({one.pk: one for one in [*people, *_administrators()]}.values())
    _ask("request", request, now, [*places_of(people), *channels()], said)


def ask_others(request: ApprovalRequest, now: datetime) -> None:
    """Ask those who were not asked at first."""
    first = request.first_asked
    said = f"{words.person(first, first.get_username())} was asked first and has not answered." if first else ""
    others = who_may_decide(request).exclude(pk=first.pk) if first else who_may_decide(request)
    _ask("second", request, now, places_of(others), said)


def remind(request: ApprovalRequest, now: datetime) -> None:
    """Before it lapses, everybody who may decide."""
    _ask("reminder", request, now, [*places_of(who_may_decide(request)), *channels()], "This lapses soon.")


def ask_second(request: ApprovalRequest, now: datetime) -> None:
    """One approved where two have to: ask the others."""
    _ask("second", request, now, [*places_of(who_may_decide(request)), *channels()], words.needs(request))


def asked_again(request: ApprovalRequest, now: datetime) -> None:
    """A decline was taken back, so it waits again."""
    said = "It was declined, and that was taken back."
    _ask("request", request, now, [*places_of(who_may_decide(request)), *channels()], said)


def cancel_asks(request: ApprovalRequest, now: datetime) -> None:
    """What still asks for a decision stays here: there is one. What is just being sent goes out."""
    waiting = Delivery.objects.filter(request=request, kind__in=ASKS, state=Delivery.State.QUEUED)
    waiting.filter(Q(claimed_until=None) | Q(claimed_until__lte=now)).update(
        state=Delivery.State.CANCELLED, problem="The request was decided before this was sent."
    )


def decided(request: ApprovalRequest, now: datetime, said: str = "") -> None:
    """Tell whoever asked and the channels that want to hear of requests; no button for it is left in Slack.

    Messages there that asked are replaced by what became of it, each in its place. Where that cannot be done, a new one
    says so. `said` is a sentence about what came of it.
    """
    organisation = Organisation.get()
    with showing_their_currency():
        outcome = words.decided(request, now, organisation)
        reason = [f"“{request.decision_reason}”"] if request.decision_reason else []
        message = Message(
            title=f"{outcome.rstrip('.')}: {words.title(request)}",
            text=" ".join([*reason, *([said] if said else [])]),
            path=path(request),
            open_label="Open request",
            urgent=True,
            resolved=True,
            kind="decision",
            id=f"request-{request.pk}",
        )
    asker = [request.requested_by] if request.requested_by else []
    asked = _asked_in_slack(request)
    replaceable = [one for one in asked if one.state == Delivery.State.QUEUED or "ts" in one.external]
    seen = {_place_of(one).key for one in replaceable}
    elsewhere = [place for place in [*channels(), *map(_place_of, asked)] if place.key not in seen]
    what = f"{request.state}-{now.timestamp():.6f}"
    for place in _once([*places_of(asker), *elsewhere]):
        _put(message, what, request, place)
    if replaceable:
        instead = concluded(request, now, said)
        for one in replaceable:
            _put(instead, f"{what}-over-{one.pk}", request, _place_of(one), replaces=one)


def concluded(request: ApprovalRequest, now: datetime, said: str = "") -> Message:
    """The message that asked, as it is once somebody has decided: nothing to press, and what became of it."""
    was = asking("decision", request, now)
    outcome = words.outcome(request, now)
    reason = f"“{request.decision_reason}”" if request.decision_reason else ""
    lines = [outcome, " ".join(one for one in (reason, said) if one)]
    return msgspec.structs.replace(was, outcome="\n".join(one for one in lines if one), resolved=True)


def path(request: ApprovalRequest) -> str:
    return f"/approvals/{request.pk}/"


def _ask(kind: str, request: ApprovalRequest, now: datetime, places: Iterable[Place], said: str = "") -> None:
    message = asking(kind, request, now, said)
    for place in _once(places):
        _put(message, f"{kind}-{now.timestamp():.6f}", request, place)


def asking(kind: str, request: ApprovalRequest, now: datetime, said: str = "") -> Message:
    """The message that asks for a decision: who, why, the cost, the cheaper choice, and when it lapses."""
    organisation = Organisation.get()
    waits = request.state == ApprovalRequest.State.WAITING
    with showing_their_currency():
        sentences = [said, words.asked(request, organisation), f"“{request.reason}”"]
        is_policy = request.kind == request.Kind.POLICY
        facts = [
            ("Extra cost", "" if is_policy else words.cost(request)),
            ("Tried on", words.tried(request)),
            ("What changes", some_of(words.what_changes(request))),
            ("Each run", words.each_run(request)),
            ("Budget", words.on_budget(request)),
            (words.landing_label(request.facts), words.landing(request)),
            ("Cheaper choice", words.cheaper(request)),
            ("Who decides", words.needs(request) if waits else ""),
            ("Until", words.lapses(request, now, organisation) if waits else ""),
        ]
        return Message(
            title=words.title(request),
            text="\n".join(one for one in sentences if one),
            facts=tuple(Fact(label, value) for label, value in facts if value),
            path=path(request),
            open_label="Open request",
            request=request.pk if waits else None,
            urgent=True,
            kind=kind,
            id=f"request-{request.pk}",
        )


def some_of(sentences: Sequence[str]) -> str:
    """As many as fit into a message."""
    rest = len(sentences) - MOST_SENTENCES
    said = " ".join(sentences[:MOST_SENTENCES])
    return f"{said} And {rest} more." if rest > 0 else said


def places_of(people: Iterable[User]) -> list[Place]:
    """How each of these people is reached; nothing for somebody with neither address."""
    users = [one for one in people if one.is_active]
    profiles = {one.user_id: one for one in Profile.objects.filter(user__in=users)}
    found = []
    for user in users:
        profile = profiles.get(user.pk)
        if user.email and (profile is None or profile.by_email):
            found.append(Place(EMAIL, user.email))
        if profile is not None and profile.slack_id and settings.SLACK_BOT_TOKEN:
            found.append(Place(SLACK, profile.slack_id))
    return found


def channels() -> list[Place]:
    """The channels that want to hear of requests."""
    rows = Channel.objects.filter(archived_at=None, options__requests=True)
    return [Place(one.transport, one.address, one) for one in rows]


@contextmanager
def showing_their_currency() -> Iterator[None]:
    """Messages have the organisation's money whoever makes them: a page, the API or a worker."""
    before = shown()
    show(organisations())
    try:
        yield
    finally:
        show(before)


def _administrators() -> list[User]:
    return list(User.objects.filter(administrators(), is_active=True))


def _asked_in_slack(request: ApprovalRequest) -> list[Delivery]:
    """The messages under which buttons may stand."""
    rows = Delivery.objects.filter(request=request, kind__in=ASKS, transport=SLACK).select_related("channel")
    rows = rows.exclude(state=Delivery.State.CANCELLED)
    return [one for one in rows.order_by("pk") if one.channel is None or not one.channel.archived_at]


def _place_of(delivery: Delivery) -> Place:
    return Place(delivery.transport, delivery.address, delivery.channel)


def _once(places: Iterable[Place]) -> list[Place]:
    return list({place.key: place for place in places}.values())


def _put(message: Message, what: str, request: ApprovalRequest, place: Place, replaces: Delivery | None = None) -> None:
    queue(
        message,
        f"request-{request.pk}:{what}:{place.key}",
        channel=place.channel,
        transport=place.transport,
        address=place.address,
        request=request,
        replaces=replaces,
    )
