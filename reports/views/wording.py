"""Words for the history of saved views."""

from budgets.audit.wording import Wording, register


def register_views() -> None:
    """Called once, when the application starts."""
    register(
        Wording(
            "reports.savedview",
            "saved view",
            {"address": "where it leads", "shared": "for everybody"},
            {"shared": lambda value: "yes" if value else "no"},
            {"restored": "brought back {what}"},
            phrase="the saved view {object}",
        )
    )
