"""The decision by the newest compiled bundle, for the server's own questions: the SDK's, on the same document."""

import json
import threading

from django.utils import timezone
from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.decide import decide_prepared
from tokenops_sdk.prepared import Prepared

from routing.models import PolicyBundle


class NoBundle(Exception):
    """None was compiled yet."""


_lock = threading.Lock()
_newest: tuple[str, Prepared] | None = None


def prepared_now() -> Prepared:
    """The newest bundle, laid out once per process and digest; one small statement. Raises NoBundle."""
    global _newest
    rows = PolicyBundle.objects.order_by("-epoch", "-revision")
    # Not the revision: after a backup was restored, or in another test, the same number may stand for other content.
    etag = rows.values_list("etag", flat=True).first()
    if etag is None:
        raise NoBundle("The first policy bundle is not compiled yet.")
    held = _newest
    if held is not None and held[0] == etag:
        return held[1]
    with _lock:
        row = rows.only("etag", "body").first()
        if row is None:
            raise NoBundle("The first policy bundle is not compiled yet.")
        made = Prepared(json.loads(bytes(row.body)))
        _newest = (row.etag, made)
        return made


def decide_now(request: Request) -> Decision:
    """What the policy in force says of the call now. Raises NoBundle. Writes nothing."""
    return decide_prepared(prepared_now(), request, timezone.now())
