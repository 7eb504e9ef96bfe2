"""What the newest run found, decoded once in each process: a run that is done never changes, and may be megabytes."""

from typing import TypeVar

import msgspec
from django.db.models import TextField
from django.db.models.functions import Cast

from reports.models import SavingsRun
from reports.savings.result import Result
from reports.savings.take import newest_done
from reports.what_if.basis import Basis

Document = TypeVar("Document", Result, Basis)
_kept: dict[type[Result] | type[Basis], tuple[int, Result | Basis]] = {}


def newest_result() -> tuple[SavingsRun, Result] | None:
    """The newest run that is done with what its levers found; None before the first. One statement, or two."""
    return _newest("result", Result)


def newest_basis() -> tuple[SavingsRun, Basis] | None:
    """The same with the sums that what-if is worked out from."""
    return _newest("basis", Basis)


def _newest(column: str, kind: type[Document]) -> tuple[SavingsRun, Document] | None:
    run = newest_done()
    if run is None:
        return None
    number, found = _kept.get(kind, (0, None))
    if number != run.pk or not isinstance(found, kind):
        rows = SavingsRun.objects.filter(pk=run.pk).annotate(text=Cast(column, TextField()))
        text = rows.order_by().values_list("text", flat=True).first()
        if text is None:
            return None
        found = msgspec.json.decode(text, type=kind)
        _kept[kind] = (run.pk, found)
    return run, found


def forget() -> None:
    """For tests, which share a process and take runs back."""
    _kept.clear()
