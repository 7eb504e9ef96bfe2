"""Change the organisation, close its days, open them again, and undo that: each in one transaction with its history.

Another time zone or fiscal year gives every budget's periods other bounds, so all are read from the ledger anew. Days
that are closed keep their bounds: while there are any, the time zone stays.
Planned activity that lasts whole days keeps its days: its midnights move to the new zone's.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from babel.core import get_global
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.currency.rates import rate_on
from budgets.limits.calendar import day_of
from budgets.limits.evaluate import publish_change
from budgets.limits.opening import reopen_all
from budgets.models import AuditEntry, Organisation
from budgets.models.organisation import check_time_zone
from budgets.notices.hint import hint_settle
from budgets.organisation.closing import keep_books
from budgets.organisation.configuration import changing_configuration
from budgets.pages.moments import day_year

FIELDS = ("name", "time_zone", "currency", "fiscal_year_starts", "policy_needs_second")
REOPENED_BY = {"time_zone", "fiscal_year_starts"}
ZONE_STAYS = (
    "Days before {day} are closed. In another time zone they would begin and end at other times, and what was reported "
    "of them would change. If that is meant, open all closed days first, and close them again afterwards."
)
KEEP_DAYS = """
UPDATE budgets_plannedactivity
SET starts_at = starts_at AT TIME ZONE %(old)s AT TIME ZONE %(new)s,
    ends_at = ends_at AT TIME ZONE %(old)s AT TIME ZONE %(new)s
WHERE is_all_day
"""


class InvalidOrganisation(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedOrganisation(Exception):
    """What cannot be undone any more; the message says why, for a reader."""


def problems_of(changes: Mapping[str, Any], organisation: Organisation) -> dict[str, str]:
    """What is wrong with new values, by field. Two statements at most."""
    problems = {}
    name = changes.get("name", organisation.name)
    if not name.strip() or len(name) > 128 or "\0" in name:
        problems["name"] = "Give the organisation a name of at most 128 characters."
    zone = changes.get("time_zone", organisation.time_zone)
    if zone != organisation.time_zone:
        try:
            check_time_zone(zone)
        except ValidationError as error:
            problems["time_zone"] = error.messages[0]
        if organisation.closed_before is not None:
            problems.setdefault("time_zone", ZONE_STAYS.format(day=day_year(organisation.closed_before)))
    month = changes.get("fiscal_year_starts", organisation.fiscal_year_starts)
    if not 1 <= month <= 12:
        problems["fiscal_year_starts"] = "Choose a month, 1 to 12."
    code = changes.get("currency", organisation.currency)
    if code not in get_global("all_currencies"):
        problems["currency"] = f"“{code[:20]}” is no currency. Use a code such as EUR."
    elif code not in {"USD", organisation.currency}:
        today = day_of(timezone.now(), organisation.zone)
        if rate_on(code, today) is None:
            problems["currency"] = f"There is no rate for {code} on {day_year(today)}. Add one first."
    return problems


def change_organisation(actor: Actor, changes: Mapping[str, Any], reason: str = "") -> Organisation:
    """Save what is stated, of `FIELDS`; what is not stays. Raises InvalidOrganisation."""
    with changing_configuration() as generation:
        row = Organisation.objects.select_for_update(no_key=True).get(id=1)
        if problems := problems_of(changes, row):
            raise InvalidOrganisation(problems)
        before = {name: getattr(row, name) for name in FIELDS}
        for name in FIELDS:
            if name in changes:
                setattr(row, name, changes[name].strip() if name == "name" else changes[name])
        after = {name: getattr(row, name) for name in FIELDS}
        changed = {name for name in FIELDS if before[name] != after[name]}
        if not changed:
            return row
        row.save(update_fields=sorted(changed))
        if changed & REOPENED_BY:
            reopen_all(generation)
        if "time_zone" in changed:
            with connection.cursor() as cursor:
                cursor.execute(KEEP_DAYS, {"old": before["time_zone"], "new": after["time_zone"]})
        record(actor, "changed", row, before, after, reason)
        _publish()
    return row


def close_days(actor: Actor, before: date, reason: str = "") -> Organisation:
    """Close every day before `before`: usage that comes late posts into the open days. Raises InvalidOrganisation."""

    def check(row: Organisation) -> None:
        if problem := why_not_close(row, before):
            raise InvalidOrganisation({"before": problem})

    return _move(actor, "closed days", before, check, reason)


def why_not_close(organisation: Organisation, before: date) -> str:
    """Why days before `before` cannot be closed, in a sentence; "" where they can."""
    today = day_of(timezone.now(), organisation.zone)
    if before > today:
        return f"Only days that are over can be closed. Choose a day up to {day_year(today)}."
    closed = organisation.closed_before
    if closed is not None and before <= closed:
        return f"Days before {day_year(closed)} are closed already. Choose a later day."
    if before.year < 2000:
        return "Choose a day from 2000 on."
    return ""


def open_days(actor: Actor, before: date | None, reason: str) -> Organisation:
    """Open closed days again, from `before` on (None: all of them). What posted late stays where it posted.

    Needs a reason, since a report may have been made of the closed days. Raises InvalidOrganisation.
    """

    def check(row: Organisation) -> None:
        if not reason.strip():
            raise InvalidOrganisation({"reason": "Say why: reports may have been made of these days."})
        if row.closed_before is None or (before is not None and before >= row.closed_before):
            raise InvalidOrganisation({"before": "These days are open already."})

    return _move(actor, "opened days", before, check, reason)


def move_close(actor: Actor, before: date | None, reason: str) -> None:
    """Close or open days, whichever a new date means. Raises InvalidOrganisation."""
    now = Organisation.get().closed_before
    if before == now:
        return
    if before is not None and (now is None or before > now):
        close_days(actor, before, reason)
    else:
        open_days(actor, before, reason)


def change_and_close(actor: Actor, changes: Mapping[str, Any], reason: str) -> None:
    """New values and, where `changes` has it, `closed_before`: all or nothing. Raises InvalidOrganisation.

    Days are opened before the rest is changed and closed after it, since closed ones keep their time zone.
    """
    values = dict(changes)
    with changing_configuration():
        closed = Organisation.get().closed_before
        before = values.pop("closed_before", closed)
        opens = closed is not None and (before is None or before < closed)
        if opens:
            move_close(actor, before, reason)
        change_organisation(actor, values, reason)
        if not opens:
            move_close(actor, before, reason)


def _move(
    actor: Actor,
    act: str,
    before: date | None,
    check: Callable[[Organisation], None],
    reason: str,
    again: bool = False,
) -> Organisation:
    """`again`: days that this closes are booked as they were when they were closed before."""
    with changing_configuration():
        row = Organisation.objects.select_for_update(no_key=True).get(id=1)
        check(row)
        was = row.closed_before
        row.closed_before = before
        row.save(update_fields=["closed_before"])
        keep_books(row, was and was.replace(day=1), again)
        record(actor, act, row, {"closed_before": _iso(was)}, {"closed_before": _iso(before)}, reason.strip())
        _publish()
    return row


def undo_organisation(actor: Actor, entry: AuditEntry) -> Organisation:
    """Take back the organisation's last change. Raises RefusedOrganisation, InvalidOrganisation."""
    with changing_configuration():
        newest = newest_entry(Organisation, 1)
        if newest is None or newest.pk != entry.pk:
            raise RefusedOrganisation("Something was changed since. Nothing was undone.")
        before, reason = entry.before or {}, f"Undo of “{entry.act}” by {entry.who_text}"
        if set(before) == {"closed_before"}:
            day = before["closed_before"]
            until = date.fromisoformat(day) if day else None
            return _move(actor, "moved the close", until, lambda row: None, reason, again=True)
        kept = {name: before[name] for name in FIELDS if name in before}  # rows of before a field was there lack it
        if not kept:
            raise RefusedOrganisation("There is nothing to go back to.")
        return change_organisation(actor, kept, reason)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _publish() -> None:
    """A new bundle names the zone and the currency."""
    with connection.cursor() as cursor:
        publish_change(cursor)
    transaction.on_commit(hint_settle)
