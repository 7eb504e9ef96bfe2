"""The words of the history for the kinds of this floor."""

from budgets.audit.wording import Wording, one_of, register


def register_words() -> None:
    """Called once, when the application starts."""
    from routing.models import Snippet  # models are there only then

    register(
        Wording("routing.tier", "model tier", {"needs_approval": "needs approval"}, phrase="the model tier {object}"),
        Wording(
            "routing.policyversion",
            "policy",
            {"title": "name", "note": "note", "number": "version", "again": "as version"},
            phrase="the policy {object}",
            page="policy-draft",
            key="pk",
            acts={
                "began": "began a draft of the policy, {object}",
                "asked to publish": "asked to publish {what}",
                "rolled back to": "went back: {object} of the policy is in force",
                "brought back": "brought back the draft {object} of the policy",
                "discarded": "discarded the draft {object} of the policy",
                "is a draft again": "made {what} a draft again",
                "waits again": "had {what} wait again",
                "was approved and could not be put in force": "could not put {what} in force",
            },
        ),
        Wording(
            "routing.snippet",
            "approved text",
            {"team_id": "team", "owner_id": "who answers for it", "archived_at": "archived"},
            values={"kind": one_of(Snippet.Kind.choices)},
            phrase="the approved text {object}",
            page="snippet",
            key="slug",
            references={"team_id": "budgets.team", "owner_id": "auth.user"},
            undo="snippet-undo",
            undo_right="routing.change_snippet",
        ),
        Wording("routing.signingkey", "signing key", {"kid": "key"}, phrase="the signing key {object}"),
        Wording(
            "routing.bundleepoch",
            "bundle epoch",
            acts={"began": "began epoch {object} of the policy bundle"},
        ),
        Wording(
            "routing.policyreplay",
            "policy preview",
            {"starts_at": "from", "ends_at": "until"},
            acts={"requested": "asked for a preview of {object}", "cancelled": "called off the preview of {object}"},
        ),
    )
