"""Everything a rule can tell of. A new trigger is one small file on the floor that knows, and a line here."""

from budgets.alerts.forecast import Forecast
from budgets.alerts.keys import ExpiringKey
from budgets.alerts.thresholds import Thresholds
from budgets.alerts.trigger import Trigger
from budgets.alerts.waiting import WaitingRequest
from routing.alerts.gateways import StaleGateway
from usage.alerts.discovered import DiscoveredWorkflow
from usage.alerts.runs import OneRun
from usage.alerts.silent import SilentSource
from usage.alerts.spend import SpendAbove, SpendUnusual
from usage.alerts.unpriced import UnpricedModel

ALL: tuple[Trigger, ...] = (
    Thresholds(),
    Forecast(),
    SpendAbove(),
    SpendUnusual(),
    OneRun(),
    UnpricedModel(),
    DiscoveredWorkflow(),
    SilentSource(),
    StaleGateway(),
    WaitingRequest(),
    ExpiringKey(),
)
TRIGGERS: dict[str, Trigger] = {one.key: one for one in ALL}


def register(*triggers: Trigger) -> None:
    """Add triggers of the floor above, once, when the application starts."""
    TRIGGERS.update({one.key: one for one in triggers})
