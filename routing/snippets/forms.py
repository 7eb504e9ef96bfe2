"""The form of an approved text."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import User

from budgets.access.reachable import reachable
from budgets.access.roles import reach
from budgets.models import Team
from budgets.pages.named import workflow_named, workflow_offers
from budgets.people.names import shown_name
from routing.models import Snippet
from routing.snippets.edit import values_of
from routing.snippets.reaching import CHANGE
from routing.snippets.values import LONGEST_NAME, LONGEST_NOTE, LONGEST_SLUG, SnippetValues

KEPT_AS = {"team_id": "team", "owner_id": "owner"}


class SnippetForm(forms.Form):
    """`values` after `is_valid`; what a value may be is said by `routing.snippets.values`, `refuse` shows it."""

    name = forms.CharField(label="Name", max_length=LONGEST_NAME)
    slug = forms.CharField(
        label="Short name",
        max_length=LONGEST_SLUG,
        help_text="What gateways ask for it by; it stays for good.",
    )
    kind = forms.ChoiceField(label="Kind", choices=Snippet.Kind.choices)
    text = forms.CharField(
        label="Text", strip=False, widget=forms.Textarea(attrs={"rows": 14}), help_text="Sent to the model as it is."
    )
    note = forms.CharField(
        label="What changed", required=False, max_length=LONGEST_NOTE, help_text="For the list of versions."
    )
    team = forms.ChoiceField(label="Team", required=False)
    owner = forms.ChoiceField(label="Who answers for it", required=False)
    workflows = forms.CharField(
        label="Workflows that may use it", required=False, max_length=20_000, help_text="With commas between."
    )

    def __init__(self, *args: Any, who: Any, snippet: Snippet | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.who, self.snippet = who, snippet
        self.teams = {row.slug: row for row in reachable(Team, who, CHANGE).order_by("name")}
        everything = reach(who, CHANGE).everything
        first = ("", "The whole company" if everything else "Choose a team")
        self._choose("team", [first, *((slug, row.name) for slug, row in self.teams.items())])
        people = User.objects.filter(is_active=True).order_by("first_name", "username")
        if snippet and snippet.owner_id:
            people |= User.objects.filter(pk=snippet.owner_id)
        self.people = {one.username: one for one in people}
        self._choose("owner", [("", "Nobody"), *((name, shown_name(one)) for name, one in self.people.items())])
        if snippet:
            del self.fields["slug"]
        else:
            del self.fields["note"]

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def offers(self) -> list[tuple[str, str]]:
        """(short name, name) of workflows to choose from."""
        return workflow_offers(self.who)

    def clean_workflows(self) -> tuple[int, ...]:
        allowed = dict(self.snippet.workflows.values_list("slug", "pk")) if self.snippet else {}
        found = []
        for wanted in filter(None, (one.strip() for one in self.cleaned_data["workflows"].split(","))):
            row = None if wanted in allowed else workflow_named(wanted, self.who)
            if wanted not in allowed and row is None:
                raise forms.ValidationError(f"There is no workflow called “{wanted[:128]}”.")
            found.append(row.pk if row else allowed[wanted])
        return tuple(found)

    @property
    def values(self) -> SnippetValues:
        sent = self.cleaned_data
        team, owner = self.teams.get(sent["team"]), self.people.get(sent["owner"])
        return SnippetValues(
            self.snippet.slug if self.snippet else sent["slug"],
            sent["name"],
            sent["kind"],
            sent["text"],
            team.pk if team else None,
            owner.pk if owner else None,
            sent["workflows"],
        )

    def refuse(self, problems: Mapping[str, str]) -> None:
        for name, sentence in problems.items():
            field = KEPT_AS.get(name, name)
            self.add_error(field if field in self.fields else None, sentence)


def typed_values(snippet: Snippet) -> dict[str, Any]:
    """A text as its form shows it."""
    now = values_of(snippet)
    return {
        "name": now.name,
        "kind": now.kind,
        "text": now.text,
        "team": snippet.team.slug if snippet.team else "",
        "owner": snippet.owner.username if snippet.owner else "",
        "workflows": ", ".join(snippet.workflows.order_by("slug").values_list("slug", flat=True)),
    }
