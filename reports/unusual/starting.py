"""What the floors below are told when the application starts: words for the history, whose findings are, a trigger."""

from budgets.audit.wording import Wording, one_of, register
from reports.models import Finding
from reports.unusual.reaching import register_reach
from reports.unusual.triggers import UnusualSpend
from routing.alerts import triggers


def register_unusual() -> None:
    register(
        Wording(
            "reports.finding",
            "unusual spend",
            {"taught": "quiet next time", "owner_id": "who sees to it", "acted": "what was done"},
            {"state": one_of(Finding.State.choices), "acted": one_of(Finding.Act.choices)},
            {
                "took on": "is seeing to {what}",
                "called expected": "called {what} expected",
                "called fixed": "called {what} fixed",
                "put back to be checked": "put {what} back to be checked",
            },
            page="unusual-finding",
            key="pk",
            phrase="the unusual spend of {object}",
            references={"owner_id": "auth.user"},
            undo="unusual-undo",
            undo_right="budgets.handle_alert",
        )
    )
    register_reach()
    triggers.register(UnusualSpend())
