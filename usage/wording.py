"""The words of the history for the kinds of this floor."""

from budgets.audit.wording import Wording, money, one_of, register
from usage.models import Import, OtherCost, PriceRefresh, QuarantinedItem, RepriceRun, Run

DATES = {"valid_from": "holds from", "valid_to": "holds until"}


def register_words() -> None:
    """Called once, when the application starts."""
    register(*_of_prices(), *_of_what_arrives())


def _of_prices() -> tuple[Wording, ...]:
    return (
        Wording("usage.priceentry", "price", DATES, page="prices", phrase="the price of {object}"),
        Wording(
            "usage.repricerun",
            "re-price run",
            {
                "starts_at": "calls from",
                "ends_at": "calls until",
                "only_unpriced": "only calls without a price",
                "before": "cost before",
                "after": "cost after",
            },
            {"before": money, "after": money, "status": one_of(RepriceRun.Status.choices)},
            page="reprice-run-page",
            key="pk",
            phrase="{object}",
        ),
        Wording(
            "usage.pricerefresh",
            "price refresh",
            {"package": "price data", "unlisted": "no longer listed"},
            {"status": one_of(PriceRefresh.Status.choices)},
            page="price-refresh",
            phrase="the price refresh {object}",
        ),
        Wording(
            "usage.othercost",
            "cost",
            {"first_day": "first day", "last_day": "last day"},
            {
                "cost": money,
                "amount": lambda value: f"{int(value) / 10**9:,.2f}",
                "kind": one_of(OtherCost.Kind.choices),
            },
            page="cost",
            key="pk",
            references={"team_id": "budgets.team", "workflow_id": "budgets.workflow"},
        ),
    )


def _of_what_arrives() -> tuple[Wording, ...]:
    return (
        Wording(
            "usage.quarantineditem",
            "refused event",
            {"body": "what it says"},
            {"status": one_of(QuarantinedItem.Status.choices)},
            page="quarantine-item",
            key="pk",
            phrase="the refused event {object}",
        ),
        Wording(
            "usage.outcomemessage",
            "outcome",
            {"review_minutes": "minutes of review", "minutes_saved": "minutes saved"},
            {"outcome": one_of(Run.Outcome.choices), "revenue": money},
            phrase="the outcome of {object}",
        ),
        Wording(
            "usage.import",
            "import",
            {"file": "file", "columns": "columns"},
            {"status": one_of(Import.Status.choices)},
            page="import",
            key="pk",
            phrase="{object}",
        ),
    )


def _units(billionths: object) -> str:
    """Of the cost's own currency."""
    return f"{int(str(billionths)) / 10**9:,.2f}"
