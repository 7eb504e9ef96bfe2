"""What pages below the explorer, of runs and calls, share: days and scope of the address, and how they are shown."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import urlencode

from budgets.models import Organisation
from budgets.pages.moments import clock, day
from reports.asking.scope import CORE, NAMES, WIDE, scope_of
from reports.asking.window import PERIODS, unknown, window_of
from reports.spend.asked import Asked
from reports.spend.naming import names_of
from reports.spend.views import frame


def asked_for(request: HttpRequest, organisation: Organisation, known: frozenset[str]) -> Asked:
    """Days and scope of the address, for pages below the explorer."""
    window = window_of(request.GET.dict(), timezone.now(), organisation.zone, organisation.fiscal_year_starts)
    scope, notes = scope_of(request.GET, request.user)
    said = tuple(filter(None, (window.note, *notes, unknown(request.GET, known))))
    return Asked(timezone.now(), window, scope, "model", notes=said)


def below(organisation: Organisation, asked: Asked, place: str) -> dict[str, Any]:
    """What pages below the explorer show of days and filters; `place` is the name of the page's address."""
    names = names_of(asked.scope)
    periods = []
    for key, words in PERIODS.items():
        window = window_of({"period": key}, asked.now, organisation.zone, organisation.fiscal_year_starts)
        query = replace(asked, window=window).where()
        periods.append((words, window.days_words, query, key == asked.window.period))
    found = frame(organisation, asked, names)
    cleared = urlencode([*asked.window.query.items()])
    filters = [(NAMES[one], one) for one in (*CORE, *WIDE)]
    return found | {
        "place": place,
        "menus": {
            "periods": periods,
            "days_form": [*asked.scope.pairs(), *asked.kept],
            "filters": filters,
            "cleared": cleared,
        },
    }


def minute(organisation: Organisation, when: datetime) -> str:
    """ "18 Nov, 14:05" by the organisation's clock."""
    local = organisation.local(when)
    return f"{day(local.date())}, {clock(local)}"


def second(organisation: Organisation, when: datetime) -> str:
    """ "18 Nov, 14:05:09"."""
    return f"{minute(organisation, when)}:{when.second:02}"
