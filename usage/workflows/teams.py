"""The page of teams: what they are called, where finance books them, what their workflows spent this month."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.record import Actor
from budgets.models import AuditEntry, Organisation, Team
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, currency_code
from budgets.pages.door import changes, signed_in
from budgets.workflows.teams import (
    OBJECT_TYPE,
    InvalidTeam,
    RefusedTeam,
    TeamValues,
    change_team,
    create_team,
    delete_team,
    undo_change,
    validate,
    values_of,
    what_holds,
    with_counts,
)
from usage.models import QuarterHour
from usage.prices.showing import cost_in_file
from usage.workflows.reading import PER_PAGE, Month, Use
from usage.workflows.views import month_words

CHANGE = "budgets.change_team"
changes_teams = changes(CHANGE, "teams")


class TeamForm(forms.Form):
    """A team's values; what they may be is said by `budgets.workflows.teams.validate`."""

    name = forms.CharField(
        label="Name",
        max_length=500,
        error_messages={"required": "Give the team a name of at most 128 characters."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    slug = forms.CharField(
        label="Short name",
        max_length=500,
        required=False,
        help_text="What calls and budgets name; it never changes. Empty: made from the name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    cost_centre = forms.CharField(
        label="Cost centre", max_length=500, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    ledger_code = forms.CharField(
        label="Ledger code", max_length=500, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, data: Any = None, *, edited: Team | None = None) -> None:
        now = asdict(values_of(edited)) if edited else {}
        super().__init__(data, initial=now | {f"was_{name}": value for name, value in now.items()})
        if edited is not None:
            del self.fields["slug"]
            # How the editor saw it, so that nobody's change in between is overwritten.
            for name in ("name", "cost_centre", "ledger_code"):
                self.fields[f"was_{name}"] = forms.CharField(
                    required=False, strip=False, widget=forms.HiddenInput, max_length=200
                )
        self.edited = edited

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        texts = {name: cleaned.get(name, "") for name in ("name", "slug", "cost_centre", "ledger_code")}
        self.values = TeamValues(**texts)
        for field, said in validate(self.values).items():
            if field in self.fields and field not in self.errors:
                self.add_error(field, said)
        return cleaned

    @property
    def seen(self) -> TeamValues | None:
        if self.edited is None or "was_name" not in self.data:
            return None
        was = {name: self.cleaned_data.get(f"was_{name}", "") for name in ("name", "cost_centre", "ledger_code")}
        return TeamValues(was["name"], self.edited.slug, was["cost_centre"], was["ledger_code"])


def _found(request: HttpRequest) -> tuple[QuerySet[Team], str]:
    query = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:100]
    rows = with_counts()
    for word in query.split()[:10]:
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(slug__icontains=word)
            | Q(cost_centre__icontains=word)
            | Q(ledger_code__icontains=word)
        )
    return rows, query


def spent_by_team(month: Month, slugs: list[str] | None = None) -> dict[str, Use]:
    """What was used in the month by the team that each call was posted under. One statement."""
    rows = QuarterHour.objects.filter(bucket__gte=month.starts, bucket__lt=month.stops)
    if slugs is not None:
        rows = rows.filter(team__in=slugs)
    sums = rows.values_list("team").annotate(*(Sum(name) for name in Use._fields)).order_by()
    return {team: Use(*map(int, of)) for team, *of in sums}


@require_safe
@never_cache
@signed_in
def team_list(request: HttpRequest) -> HttpResponseBase:
    """`/settings/teams/`."""
    organisation = Organisation.get()
    month = Month.of(organisation, timezone.now())
    rows, query = _found(request)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    spent = spent_by_team(month, [team.slug for team in shown])
    return render(
        request,
        "teams/list.html",
        {
            "here": "settings",
            "organisation": organisation,
            "month_words": month_words(month),
            "query": query,
            "rows": [(team, spent.get(team.slug, Use())) for team in shown],
            "page": page,
            "may_change": request.user.has_perm(CHANGE),
        },
    )


@require_safe
@never_cache
@signed_in
def teams_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/teams.csv`: the same search; every row."""
    month = Month.of(Organisation.get(), timezone.now())
    rows, _ = _found(request)
    spent = spent_by_team(month)
    return csv_response(
        "teams",
        ["team", "short_name", "cost_centre", "ledger_code", "workflows", "month", "spent", "currency"],
        (
            [
                team.name,
                team.slug,
                team.cost_centre,
                team.ledger_code,
                getattr(team, "workflow_count", 0),
                month.first.strftime("%Y-%m"),
                cost_in_file(spent.get(team.slug, Use())),
                currency_code(),
            ]
            for team in rows
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_teams
def new(request: HttpRequest) -> HttpResponseBase:
    """`/settings/teams/new/`."""
    form = TeamForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return _form(request, form)
    try:
        team = create_team(Actor.of_request(request), form.values)
    except InvalidTeam as error:
        return _form(request, _told(form, error))
    _tell(request, team, f"{team.name} is added. Choose it for workflows and budgets.")
    return go(request, reverse("teams"))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_teams
def change(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/settings/teams/<slug>/`."""
    team = get_object_or_404(Team, slug=slug)
    form = TeamForm(request.POST if request.method == "POST" else None, edited=team)
    if request.method != "POST" or not form.is_valid():
        return _form(request, form, team)
    try:
        saved = change_team(Actor.of_request(request), team, form.values, expected=form.seen)
    except InvalidTeam as error:
        return _form(request, _told(form, error), team)
    except RefusedTeam as error:
        form.add_error(None, str(error))
        return _form(request, form, team, status=409)
    _tell(request, saved, f"{saved.name} is saved.")
    return go(request, reverse("teams"))


@require_POST
@changes_teams
def delete(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Delete an empty team; the toast offers to have it back."""
    team = get_object_or_404(Team, slug=slug)
    try:
        entry = delete_team(Actor.of_request(request), team)
    except RefusedTeam as error:
        tell_problem(request, str(error))
        return redirect("team", slug)
    tell(request, f"{team.name} is deleted.", reverse("team-undo", args=[entry.pk]))
    return redirect("teams")


@require_POST
@changes_teams
def undo(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of, if nothing happened since."""
    told = get_object_or_404(AuditEntry, pk=entry, object_type=OBJECT_TYPE)
    try:
        team = undo_change(Actor.of_request(request), told)
    except (InvalidTeam, RefusedTeam) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{team.name}: the change is undone.")
    return redirect("teams")


def _told(form: TeamForm, error: InvalidTeam) -> TeamForm:
    for field, said in error.problems.items():
        form.add_error(field if field in form.fields else None, said)
    return form


def _tell(request: HttpRequest, team: Team, words: str) -> None:
    entry = AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id=str(team.pk)).order_by("-at", "-id").first()
    tell(request, words, reverse("team-undo", args=[entry.pk]) if entry else "")


def _form(request: HttpRequest, form: TeamForm, team: Team | None = None, status: int | None = None) -> HttpResponse:
    return render(
        request,
        "teams/form.html",
        {
            "here": "settings",
            "organisation": Organisation.get(),
            "form": form,
            "team": team,
            "held": what_holds(team) if team else "",
        },
        status=status or (422 if form.errors else 200),
    )
