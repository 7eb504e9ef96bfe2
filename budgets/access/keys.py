"""Make keys, and say what a key may do."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import slugify

from budgets.models import ApiKey, Source, Team
from budgets.notices.listener import notify

KEYS_CHANNEL = "tokenops_keys"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who shows a valid key: what requests carry as their user. `allowed` are (slug, id) of its sources.

    `teams` are the ids of those that it is limited to, `team_names` their short names; empty: it is not.
    """

    key_id: int
    name: str
    source_id: int
    source: str
    allowed: tuple[tuple[str, int], ...]
    scopes: frozenset[str]
    expires_at: datetime | None
    teams: frozenset[int] = frozenset()
    team_names: frozenset[str] = frozenset()

    is_authenticated = True
    is_active = True
    is_staff = False
    is_anonymous = False

    @property
    def pk(self) -> str:
        """What DRF's throttles tell callers apart by."""
        return f"key-{self.key_id}"


def digest(plain: str) -> bytes:
    """SHA-256 of the key; 256 random bits cannot be guessed, so no slow hash is needed."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()  # whatever a header may hold


@transaction.atomic
def make_key(
    name: str,
    scopes: Sequence[str],
    *,
    source: str | None = None,
    also: Sequence[str] = (),
    teams: Sequence[str] = (),
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key for `source` (made if missing; by default named like the key) and its text, which is shown once.

    Its events may name the sources in `also` too (made if missing); with `teams` (short names) it is limited to what is
    theirs. Raises ValueError for an unknown or missing scope
    and for a name without letters or digits.
    """
    unknown = sorted(set(scopes) - set(ApiKey.Scope.values))
    if unknown or not scopes:
        raise ValueError(f"Unknown scope {', '.join(unknown) or '(none)'}: use {', '.join(ApiKey.Scope.values)}.")
    sender = source_named(source or name)
    plain = f"tok_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name,
        source=sender,
        prefix=plain[:10],
        digest=digest(plain),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        created_by=created_by,
    )
    key.sources.set(source_named(other) for other in also)
    key.teams.set(Team.objects.filter(slug__in=teams))
    notify(KEYS_CHANNEL)
    return key, plain


def source_named(name: str) -> Source:
    """The source whose slug the name makes; made if missing. ValueError for a name without letters or digits."""
    slug = slugify(name)[:128].strip("-_")
    if not slug:
        raise ValueError("The name needs at least one letter or digit.")
    return Source.objects.get_or_create(slug=slug, defaults={"name": name})[0]
