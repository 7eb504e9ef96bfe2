"""Begin, save, discard a draft of the policy, and bring it back: each one transaction with its row of history.

Only drafts change. One that waits for a second person is withdrawn first; what is published never changes (a trigger
holds that), and is gone back to by publishing it anew.
"""

from typing import Any

import msgspec
from django.db import transaction

from budgets.audit.record import Actor, record
from budgets.models import ApprovalRequest
from routing.models import PolicyVersion
from routing.policy.document import Policy, read, written
from routing.policy.shape import InvalidPolicy, checked, storable
from routing.policy.words import names_of, otherwise_in_words, rule_in_words

State = PolicyVersion.State
LONGEST_TITLE, LONGEST_NOTE = 128, 1000


class StaleEdit(Exception):
    """Somebody else changed the draft since it was read; `version` is how it is now. Nothing was saved."""

    def __init__(self, version: PolicyVersion) -> None:
        super().__init__("Somebody changed this draft meanwhile. Nothing was saved; look at it again and repeat.")
        self.version = version


class RefusedEdit(Exception):
    """What the version's state does not allow; the message says why, for a reader."""


def live_version() -> PolicyVersion | None:
    """The one in force; None where nothing was published yet."""
    return PolicyVersion.objects.filter(live=True).first()


def policy_of(version: PolicyVersion | None) -> Policy:
    """What a version says; for None a policy without tiers and rules."""
    return read(version.document) if version is not None else Policy()


def begin_draft(
    actor: Actor, title: str, based_on: PolicyVersion | None = None, note: str = "", policy: Policy | None = None
) -> PolicyVersion:
    """A new draft: a copy of `based_on`, by default of the version in force; or of `policy`. Raises InvalidPolicy."""
    based_on = based_on or live_version()
    policy = policy if policy is not None else policy_of(based_on)
    draft = PolicyVersion(based_on=based_on, created_by=actor.user, created_text=actor.text[:150])
    draft.title, draft.note = _checked_words(title, note)
    draft.document = written(checked(policy))
    with transaction.atomic():
        draft.save(force_insert=True)
        after = {"title": draft.title, "based_on": str(based_on) if based_on else None}
        record(actor, "began", draft, None, {name: value for name, value in after.items() if value})
    return draft


def save_draft(
    actor: Actor,
    version: PolicyVersion,
    policy: Policy,
    edit_version: int,
    title: str | None = None,
    note: str | None = None,
    reason: str = "",
) -> PolicyVersion:
    """Save what it says; `edit_version` is the one that the editor saw. What changes nothing leaves no history.

    Raises InvalidPolicy, StaleEdit, or RefusedEdit for what is no draft.
    """
    policy = checked(policy)
    with transaction.atomic():
        row = _draft(version)
        if row.edit_version != edit_version:
            raise StaleEdit(row)
        before = as_history(row)
        row.title, row.note = _checked_words(row.title if title is None else title, row.note if note is None else note)
        row.document = written(policy)
        after = as_history(row)
        if before == after:
            return row
        row.edit_version += 1
        row.request = None  # what was decided about it was about something else
        row.save()
        differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        was = {name: before[name] for name in differing if name in before}
        record(actor, "changed", row, was, {name: after[name] for name in differing if name in after}, reason)
    return row


def discard_draft(actor: Actor, version: PolicyVersion, edit_version: int | None = None) -> PolicyVersion:
    """Put it away; it can be brought back. Raises StaleEdit, RefusedEdit."""
    with transaction.atomic():
        row = _draft(version)
        if edit_version is not None and row.edit_version != edit_version:
            raise StaleEdit(row)
        return _turn(actor, row, State.DISCARDED, "discarded")


def restore_draft(actor: Actor, version: PolicyVersion) -> PolicyVersion:
    """Undo discarding. One that is a draft is left as it is. Raises RefusedEdit for any other."""
    with transaction.atomic():
        row = locked(version)
        if row.state == State.DRAFT:
            return row
        if row.state != State.DISCARDED:
            raise RefusedEdit(_why_not(row))
        return _turn(actor, row, State.DRAFT, "brought back")


def locked(version: PolicyVersion) -> PolicyVersion:
    """Its row, held until the transaction ends. Raises PolicyVersion.DoesNotExist."""
    return PolicyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)


def as_history(version: PolicyVersion) -> dict[str, Any]:
    """A version as the history keeps it: a line for each tier and rule, so that a row shows just what differs."""
    policy = read(version.document)
    names = names_of(policy)
    return {
        "title": version.title,
        "note": version.note,
        **{f"tier {tier.number}": msgspec.to_builtins(tier) for tier in policy.tiers},
        **{f"rule {rule.id}": f"{rule.name}: {rule_in_words(rule, names)}" for rule in policy.rules},
        "order of rules": [rule.name for rule in policy.rules],
        "otherwise": otherwise_in_words(policy.otherwise, names),
        "models of no tier": policy.unlisted_models,
        "tokens a day": dict(policy.daily_tokens),
    }


def _draft(version: PolicyVersion) -> PolicyVersion:
    row = locked(version)
    waits = row.request is not None and row.request.state == ApprovalRequest.State.WAITING
    if row.state != State.DRAFT or waits:
        raise RefusedEdit(_why_not(row))
    return row


def _why_not(row: PolicyVersion) -> str:
    if row.state == State.PUBLISHED:
        return f"{row} is published and never changes. Begin a draft from it instead."
    if row.state in {State.WAITING, State.DRAFT}:
        return f"“{row.title}” waits for a second person. Withdraw the request first, then change it."
    return f"“{row.title}” was discarded. Bring it back first."


def _turn(actor: Actor, row: PolicyVersion, state: State, act: str) -> PolicyVersion:
    before, row.state = row.state, state
    row.request = None
    row.save()
    record(actor, act, row, {"state": before}, {"state": state.value})
    return row


def _checked_words(title: str, note: str) -> tuple[str, str]:
    title, note = " ".join(title.split()), note.strip()
    problems = {}
    if not title:
        problems["title"] = "Give the draft a name that says what it is for."
    elif len(title) > LONGEST_TITLE:
        problems["title"] = f"The name is too long: at most {LONGEST_TITLE} characters."
    elif not storable(title):
        problems["title"] = "The name holds a character that cannot be stored."
    if len(note) > LONGEST_NOTE:
        problems["note"] = f"Keep the note under {LONGEST_NOTE:,} characters."
    elif not storable(note):
        problems["note"] = "The note holds a character that cannot be stored."
    if problems:
        raise InvalidPolicy(problems)
    return title, note
