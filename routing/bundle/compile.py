"""Make a new bundle when what it says has changed. One compiler at a time, one moment of the database."""

import hashlib
import json
from datetime import timedelta

import msgspec
from django.db import connection, transaction
from django.utils import timezone
from tokenops_sdk.bundle import SCHEMA

from budgets.models import Organisation
from budgets.notices.listener import notify
from routing.bundle.canonical import canonical
from routing.bundle.content import Content, Stamp, document, instant, urgent_facts
from routing.bundle.memory import BUNDLE_CHANNEL
from routing.bundle.signing import active_key, have_active_key, lock_keys, sign_detached
from routing.bundle.snapshot import read_content
from routing.models import BundleEpoch, PolicyBundle

KEEP = 200  # bundles
APART = timedelta(milliseconds=500)  # between two revisions, unless somebody is blocked, paused or freed


def compile_if_changed(*, anew: bool = False) -> int | None:
    """The new revision; None when nothing changed, or when it changed too soon after the last one to be worth one yet.

    In the second case the next call makes it: the sweep comes every second. `anew` makes a revision in any case (a
    signing key was rotated). Called inside a transaction, the snapshot is that transaction's own.
    """
    nested = connection.in_atomic_block
    if not nested:
        have_active_key()
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # Before the first read, since that takes the snapshot: the compiler before this one must be in it.
        lock_keys()
        organisation = Organisation.get()
        content = read_content(organisation)
        digest = content_digest(content)
        epoch = BundleEpoch.objects.get(id=1).epoch
        last = PolicyBundle.objects.order_by("-epoch", "-revision").defer("body", "signature").first()
        if last is not None and not anew and last.epoch == epoch:
            if last.content_digest == digest:
                return None
            if is_too_soon(last, content):
                return None
        return publish(content, digest, epoch, 1 + (last.revision if last else 0), organisation)


def content_digest(content: Content) -> str:
    """SHA-256 of what the bundle says. Not of its canonical text, which takes ten times as long to write."""
    return hashlib.sha256(SCHEMA.encode() + msgspec.json.encode(content, order="sorted")).hexdigest()


def is_too_soon(last: PolicyBundle, content: Content) -> bool:
    """Whether a change can wait for the next sweep. A clock that was set back must not hold bundles up."""
    age = timezone.now() - last.created_at
    if not timedelta(0) <= age < APART:
        return False
    return urgent_facts(json.loads(bytes(last.body))) == urgent_facts(document(content, Stamp(0, 0, 0, 0, "")))


def publish(content: Content, digest: str, epoch: int, revision: int, organisation: Organisation) -> int:
    """Store, prune, tell. Revisions go on growing over a change of epoch, though the order needs only the pair."""
    stamp = Stamp(
        epoch=epoch,
        revision=revision,
        policy_version=content.policy.version,
        state_version=organisation.state_version,
        compiled_at=instant(timezone.now()),
    )
    body = canonical(document(content, stamp))
    PolicyBundle.objects.create(
        epoch=epoch,
        revision=revision,
        content_digest=digest,
        etag=f'"{hashlib.sha256(body).hexdigest()}"',
        body=body,
        signature=sign_detached(body, active_key()),
    )
    for (oldest_kept,) in PolicyBundle.objects.order_by("-id").values_list("id")[KEEP - 1 : KEEP]:
        PolicyBundle.objects.filter(id__lt=oldest_kept).delete()
    notify(BUNDLE_CHANNEL, f"{epoch}:{revision}")
    return revision
