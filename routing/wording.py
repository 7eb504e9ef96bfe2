"""The words of the history for the kinds of this floor."""

from budgets.audit.wording import Wording, register


def register_words() -> None:
    """Called once, when the application starts."""
    register(
        Wording("routing.tier", "model tier", {"needs_approval": "needs approval"}, phrase="the model tier {object}"),
        Wording("routing.signingkey", "signing key", {"kid": "key"}, phrase="the signing key {object}"),
        Wording(
            "routing.bundleepoch",
            "bundle epoch",
            acts={"began": "began epoch {object} of the policy bundle"},
        ),
    )
