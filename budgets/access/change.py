"""Make, change and rotate keys, each with its row of history. A key's text is returned once and written nowhere."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from budgets.access.keys import KEYS_CHANNEL, make_key, source_named
from budgets.access.revoke import revoke_key
from budgets.audit.record import Actor, record
from budgets.models import ApiKey, AuditEntry, Source, Team
from budgets.notices.listener import notify

KEYS_LOCK = 7_061_013  # advisory lock number, ours by choice: a form sent twice makes one key
LONGEST_OVERLAP = timedelta(days=30)


class InvalidKey(Exception):
    """What was typed cannot be a key: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedKey(Exception):
    """It cannot be done with the key as it is now, in a sentence."""


@dataclass(frozen=True, slots=True)
class KeyValues:
    """What people decide about a key. `also` are slugs of other sources it may send for; `expires_at` None is never.

    `teams` are short names of the teams it is limited to; none: it is not.
    """

    name: str
    scopes: tuple[str, ...]
    also: tuple[str, ...] = ()
    expires_at: datetime | None = None
    teams: tuple[str, ...] = ()


def values_of(key: ApiKey) -> KeyValues:
    """A key's values as they are in the database."""
    also = tuple(key.sources.order_by("slug").values_list("slug", flat=True))
    teams = tuple(key.teams.order_by("slug").values_list("slug", flat=True))
    return KeyValues(key.name, tuple(sorted(key.scopes)), also, key.expires_at, teams)


def as_history(key: ApiKey, values: KeyValues) -> dict[str, Any]:
    """For the row of history: never the key itself, nor its digest."""
    return {
        "name": values.name,
        "source": key.source.slug,
        "also": list(values.also),
        "scopes": list(values.scopes),
        "teams": list(values.teams),
        "expires_at": None if values.expires_at is None else values.expires_at.isoformat(),
    }


def stamp(key: ApiKey) -> str:
    """Changes with the key's values: a form carries it, so that nobody overwrites what another changed meanwhile."""
    told = {**as_history(key, values_of(key)), "revoked": str(key.revoked_at)}
    return f"{crc32(json.dumps(told).encode()):08x}"


def checked(values: KeyValues, now: datetime) -> KeyValues:
    """The values tidied; InvalidKey with a sentence for each field that is wrong."""
    problems: dict[str, str] = {}
    name = values.name.strip()
    if not any(letter.isalnum() for letter in name):
        problems["name"] = "Say in a few letters or digits what the key is for, such as “Production gateway”."
    elif len(name) > 128:
        problems["name"] = "That is too long. Use at most 128 characters."
    unknown = sorted(set(values.scopes) - set(ApiKey.Scope.values))
    if not values.scopes:
        problems["scopes"] = "Choose at least one thing that the key may do."
    elif unknown:
        problems["scopes"] = f"{', '.join(unknown)[:80]} is unknown. Choose from: {', '.join(ApiKey.Scope.values)}."
    if values.expires_at is not None and values.expires_at <= now:
        problems["expires_at"] = "That time has passed. Choose one that is still to come, or no expiry."
    teams = tuple(sorted(set(values.teams)))
    known = set(Team.objects.filter(slug__in=teams).values_list("slug", flat=True)) if teams else set()
    if missing := [one for one in teams if one not in known]:
        problems["teams"] = f"There is no team “{missing[0][:128]}”."
    elif teams and ApiKey.Scope.BUNDLE in values.scopes:
        problems["teams"] = "The policy bundle is about the whole company. Leave it out, or name no team."
    if problems:
        raise InvalidKey(problems)
    scopes, also = tuple(sorted(set(values.scopes))), tuple(sorted(set(values.also)))
    return replace(values, name=name, scopes=scopes, also=also, teams=teams)


@transaction.atomic
def create_key(
    actor: Actor, values: KeyValues, source: str = "", by: User | None = None, *, one_of_a_name: bool = False
) -> tuple[ApiKey, str]:
    """A new key for `source` (made if missing; by default named like the key) and its text.

    With `one_of_a_name` a key in force with the same name is refused: a form or request that is sent twice must not
    make a second key whose text nobody reads.
    """
    now = timezone.now()
    values = checked(values, now)
    if one_of_a_name:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [KEYS_LOCK])
        if ApiKey.objects.in_force(now).filter(name__iexact=values.name).exists():
            raise InvalidKey(
                {
                    "name": f"A key called “{values.name}” is there already. Give this one another name; if you lost"
                    " the other’s text, rotate it."
                }
            )
    try:
        key, plain = make_key(
            values.name,
            values.scopes,
            source=source.strip() or None,
            also=values.also,
            teams=values.teams,
            expires_at=values.expires_at,
            created_by=by,
        )
    except ValueError as error:
        raise InvalidKey({"source": str(error)}) from None
    record(actor, "created", key, None, as_history(key, values_of(key)))
    return key, plain


@transaction.atomic
def change_key(actor: Actor, key: ApiKey, values: KeyValues, reason: str = "", seen: str = "") -> ApiKey:
    """Change what a key may do, for whom and until when. Its text and its own source stay.

    `seen` is the `stamp` of what was edited; RefusedKey when another changed it since, or when the key is revoked.
    """
    row = locked(key)
    if row.revoked_at is not None:
        raise RefusedKey(f"{row.name} is revoked and stays so. Make a new key instead.")
    if seen and seen != stamp(row):
        raise RefusedKey("Someone changed this key meanwhile. Look at it as it is now, then change it again.")
    before = values_of(row)
    now = timezone.now()
    same_end = values.expires_at == before.expires_at  # an expired key may be renamed
    values = checked(replace(values, expires_at=None) if same_end else values, now)
    values = replace(values, expires_at=before.expires_at) if same_end else values
    also = sources_of(values.also, row.source)
    values = replace(values, also=tuple(sorted(source.slug for source in also)))
    if values == before:
        return row
    row.name, row.scopes, row.expires_at = values.name, list(values.scopes), values.expires_at
    row.save(update_fields=["name", "scopes", "expires_at"])
    row.sources.set(also)
    row.teams.set(Team.objects.filter(slug__in=values.teams))
    record(actor, "changed", row, as_history(row, before), as_history(row, values), reason)
    notify(KEYS_CHANNEL)
    return row


@transaction.atomic
def undo_change(actor: Actor, key: ApiKey, entry: AuditEntry) -> ApiKey:
    """Take back the change that `entry` tells of; RefusedKey when something happened since, or it was no change."""
    row = locked(key)
    told = {"teams": [], **(entry.after or {})}  # what is older says nothing of teams
    if entry.act != "changed" or entry.before is None or told != as_history(row, values_of(row)):
        raise RefusedKey("The key was changed again since, so nothing was undone. Change it by hand.")
    before = entry.before
    ends = before["expires_at"]
    values = KeyValues(
        before["name"],
        tuple(before["scopes"]),
        tuple(before["also"]),
        None if ends is None else datetime.fromisoformat(ends),
        tuple(before.get("teams", ())),
    )
    try:
        return change_key(actor, row, values, "Undone")
    except InvalidKey as error:
        raise RefusedKey(f"It cannot be undone. {error}") from None


@transaction.atomic
def rotate_key(
    actor: Actor, key: ApiKey, overlap: timedelta, by: User | None = None, reason: str = ""
) -> tuple[ApiKey, str]:
    """A new key with the same rights, and its text; the old one ends after `overlap`, at once for none.

    The new one lasts as long as the old one was meant to. RefusedKey for a key that is revoked, expired or being
    replaced already: of two people who rotate at once, one does.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidKey({"overlap": f"Choose an overlap from 0 to {LONGEST_OVERLAP.days * 24} hours."})
    row = locked(key)
    now = timezone.now()
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        raise RefusedKey(f"{row.name} is {'revoked' if row.revoked_at else 'expired'}. Make a new key instead.")
    newer = row.replaced_by.in_force(now).first()
    if newer is not None:
        raise RefusedKey(
            f"{row.name} was rotated already: {newer.prefix}… replaces it. Its text cannot be shown again; "
            "if nobody has it, rotate that one."
        )
    before = values_of(row)
    ends = None if row.expires_at is None else now + (row.expires_at - row.created_at)
    made, plain = make_key(
        row.name,
        before.scopes,
        source=row.source.slug,
        also=before.also,
        teams=before.teams,
        expires_at=ends,
        created_by=by,
    )
    made.replaces = row
    made.save(update_fields=["replaces"])
    told = as_history(made, values_of(made)) | {"replaces": f"{row.prefix}…"}
    record(actor, "created", made, None, told, reason)
    retire(actor, row, overlap, now, made, reason)
    return made, plain


def retire(actor: Actor, old: ApiKey, overlap: timedelta, now: datetime, made: ApiKey, reason: str) -> None:
    """End the key that was rotated: now, or when the overlap is over, never later than it would have ended anyway."""
    if not overlap:
        revoke_key(actor, old, reason or f"Rotated: {made.prefix}… replaces it.")
        return
    before, after = old.expires_at, now + overlap
    old.expires_at = after if before is None else min(before, after)
    old.save(update_fields=["expires_at"])
    record(
        actor,
        "rotated",
        old,
        {"expires_at": None if before is None else before.isoformat()},
        {"expires_at": old.expires_at.isoformat(), "replaced_by": f"{made.prefix}…"},
        reason,
    )
    notify(KEYS_CHANNEL)


def locked(key: ApiKey) -> ApiKey:
    """The key's row, held until the transaction ends."""
    return ApiKey.objects.select_for_update(of=("self",), no_key=True).select_related("source").get(pk=key.pk)


def sources_of(names: Iterable[str], own: Source) -> list[Source]:
    """The sources with these names, made if missing, without the key's own."""
    try:
        found = {source.pk: source for source in map(source_named, names)}
    except ValueError as error:
        raise InvalidKey({"also": str(error)}) from None
    found.pop(own.pk, None)
    return sorted(found.values(), key=lambda source: source.slug)
