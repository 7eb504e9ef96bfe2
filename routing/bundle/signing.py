"""The keys that sign bundles: made on demand, rotated with overlap, served as a JWKS.

Each has one beside it for OPA (`routing.opa.keys`), which goes the same way.

A key is *next* (published, signs nothing yet), *active* (the one that signs) or *retired* (signs no more, served for
BUNDLE_KEY_OVERLAP_DAYS, so that what it signed can still be verified).
"""

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from joserfc import jws
from joserfc.jwk import OKPKey
from tokenops_sdk.jws import ALGORITHM, ALGORITHMS, BUNDLE_TYPE, REGISTRY

from budgets.access.sealing import CannotUnseal, seal, unseal
from budgets.audit.record import Actor, record
from routing.models import SigningKey
from routing.opa.keys import add_key

logger = logging.getLogger(__name__)


def secret_keys() -> list[str]:
    """What a sealed key may have been sealed with, the present one first."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def lock_keys() -> None:
    """Wait for whoever else makes or rotates a key; held to the end of the transaction.

    A table lock rather than an advisory one: it is taken without a snapshot, so that a repeatable-read transaction that
    begins with it sees what the one before it committed.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE routing_bundleepoch IN SHARE ROW EXCLUSIVE MODE")


def active_key() -> OKPKey:
    """The key that signs. Call with `lock_keys` held: makes the first one, and a new one where none can be unsealed."""
    row = SigningKey.objects.select_related("opa").filter(active=True).first()
    if row is None:
        return private_key(rotate(Actor.job("bundle"), "The first signing key."))
    try:
        key = private_key(row)
    except CannotUnseal as error:
        logger.error("%s. A new signing key is made; clients fetch it from the JWKS.", error)
        return private_key(rotate(Actor.job("bundle"), "The last key was sealed under another SECRET_KEY."))
    if not hasattr(row, "opa"):  # a key from before there were any for OPA
        add_key(row, settings.SECRET_KEY)
    return key


def have_active_key() -> None:
    """Make the key that signs where there is none that opens, in a transaction of its own.

    A rotation writes history, whose next position a repeatable-read transaction may read from too old a snapshot.
    """
    row = SigningKey.objects.select_related("opa").filter(active=True).first()
    if row is not None and hasattr(row, "opa") and _opens(row):
        return
    with transaction.atomic():
        lock_keys()
        active_key()


@transaction.atomic
def rotate(actor: Actor, reason: str = "") -> SigningKey:
    """Retire the active key and make the next one active (a new one where none was published before)."""
    lock_keys()
    now = timezone.now()
    before = SigningKey.objects.filter(active=True).first()
    SigningKey.objects.filter(active=True).update(active=False, retired_at=now)
    row = SigningKey.objects.filter(active=False, retired_at=None).order_by("-created_at").first()
    if row is None or not _opens(row):
        row = prepare()
    row.active = True
    row.save(update_fields=["active"])
    # Others that were prepared and passed over would be served for ever.
    SigningKey.objects.filter(active=False, retired_at=None).update(retired_at=now)
    record(actor, "rotated", row, {"kid": before.kid} if before else None, {"kid": row.kid}, reason)
    return row


def prepare() -> SigningKey:
    """A key that is published and does not sign yet, so that clients know it before they need it."""
    key = OKPKey.generate_key("Ed25519", private=True)
    kid = key.thumbprint()
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
    private = json.dumps(key.as_dict(private=True)).encode()
    sealed = seal(private, kid, settings.SECRET_KEY)
    row = SigningKey.objects.create(kid=kid, public=public, sealed_private=sealed, active=False)
    add_key(row, settings.SECRET_KEY)
    return row


def private_key(row: SigningKey) -> OKPKey:
    """The row's key, ready to sign. Raises CannotUnseal."""
    return open_key(row.kid, bytes(row.sealed_private))


def open_key(kid: str, sealed: bytes) -> OKPKey:
    """The private key. Raises CannotUnseal."""
    key = OKPKey.import_key({**json.loads(unseal(sealed, kid, secret_keys())), "kid": kid})
    if key.thumbprint() != kid:
        raise CannotUnseal(f"{kid} holds another key")
    return key


def _opens(row: SigningKey) -> bool:
    try:
        private_key(row)
    except CannotUnseal:
        return False
    return True


def sign_detached(body: bytes, key: OKPKey) -> str:
    """A compact JWS over `body` with the payload left out (RFC 7515, appendix F)."""
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": BUNDLE_TYPE}
    compact = jws.serialize_compact(header, body, key, algorithms=ALGORITHMS, registry=REGISTRY)
    protected, _payload, signature = compact.split(".")
    return f"{protected}..{signature}"


def served_until(retired_at: datetime | None) -> datetime | None:
    """When a key leaves the JWKS; None while it is in use."""
    return None if retired_at is None else retired_at + timedelta(days=settings.BUNDLE_KEY_OVERLAP_DAYS)


def jwks(publics: Iterable[Mapping[str, Any]]) -> bytes:
    """The JWKS document, newest key first as given."""
    return json.dumps({"keys": [dict(public) for public in publics]}, separators=(",", ":")).encode()
