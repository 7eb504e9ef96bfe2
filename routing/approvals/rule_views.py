"""Who approves what, in the browser: the rules in their order, new, change, move, archive, undo."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.reachable import reachable
from budgets.access.roles import may
from budgets.approvals import edit_rules
from budgets.approvals.edit_rules import InvalidRule, RefusedRule, RuleValues, StaleRule, values_of
from budgets.approvals.rules import live_rules
from budgets.approvals.words import person
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.models import ApprovalRequest, ApprovalRule, AuditEntry, Role
from budgets.pages import amounts
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response, exact
from budgets.pages.door import changes, in_reach
from budgets.pages.named import team_choices
from routing.approvals.forms import dollars

CHANGE = "budgets.change_approvalrule"
may_change = changes(CHANGE, "approval rules")
HEADER = [
    "place", "name", "kinds", "team", "risk_category", "from_extra_cost_usd", "role", "people", "approvers_needed",
    "second_after_hours", "remind_before_hours", "lapses_after_hours",
]  # fmt: skip
DECIDING = [(value, label) for value, label in Role.choices if value != Role.VIEWER]


class RuleForm(forms.Form):
    """`values` after `is_valid`; what each may be is said by `budgets.approvals.edit_rules`."""

    name = forms.CharField(
        label="Name", max_length=200, error_messages={"required": "Give the rule a name, for example “Above $500”."}
    )
    kinds = forms.MultipleChoiceField(
        label="For requests of", required=False, choices=ApprovalRequest.Kind.choices,
        widget=forms.CheckboxSelectMultiple, help_text="None chosen: every kind.",
    )  # fmt: skip
    team = forms.ChoiceField(label="Team", required=False)
    risk_category = forms.CharField(
        label="Risk category", required=False, max_length=100, help_text="Such as public or sensitive; empty: any."
    )
    above = forms.CharField(
        label="From an extra cost of, in US dollars", required=False, max_length=20, help_text="Empty: any amount."
    )
    role = forms.ChoiceField(label="Decided by the role", choices=DECIDING)
    people = forms.MultipleChoiceField(
        label="Or only by these people", required=False, widget=forms.CheckboxSelectMultiple
    )
    approvers_needed = forms.TypedChoiceField(
        label="How many have to approve", coerce=int, choices=[(1, "One person"), (2, "Two people")]
    )
    second_after_hours = forms.IntegerField(
        label="Ask the others after, hours", help_text="When the first one asked is silent. 0: ask all at once."
    )
    remind_before_hours = forms.IntegerField(label="Remind, hours before it lapses", help_text="0: no reminder.")
    lapses_after_hours = forms.IntegerField(label="Lapses after, hours")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(is_active=True).order_by("first_name", "username")
        named = [(one.username, person(one, one.username)) for one in people]
        self.fields["team"].choices = team_choices("Every team")  # type: ignore[attr-defined]
        self.fields["people"].choices = named  # type: ignore[attr-defined]

    def clean_above(self) -> int | None:
        return dollars(self.cleaned_data["above"])

    @property
    def values(self) -> RuleValues:
        stated = dict(self.cleaned_data)
        return RuleValues(**stated | {"kinds": tuple(stated["kinds"]), "people": tuple(stated["people"])})

    def refuse(self, problems: dict[str, str]) -> None:
        for name, said in problems.items():
            self.add_error(name if name in self.fields else None, said)


def first_values(values: RuleValues) -> dict[str, Any]:
    above = None if values.above is None else amounts.typed(values.above, "money")
    return values.as_json() | {"above": above}


@require_safe
@never_cache
@in_reach
def rule_list(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/rules/`: the rules in the order in which they are tried."""
    rows = [
        {"rule": rule, "when": when(values_of(rule)), "who": who(rule), "place": place}
        for place, rule in enumerate(seen_by(request).select_related("team").prefetch_related("people"), start=1)
    ]
    context = {"here": "settings", "rows": rows, "may_change": may(request.user, CHANGE)}
    return render(request, "approvals/rules.html", context)


def seen_by(request: HttpRequest) -> QuerySet[ApprovalRule]:
    """The rules in force for the teams in reach and for every team."""
    return reachable(live_rules(), request.user)


def when(values: RuleValues) -> str:
    """The conditions as a sentence."""
    labels = dict(ApprovalRequest.Kind.choices)
    said = [" or ".join(str(labels[kind]).lower() for kind in values.kinds)] if values.kinds else []
    said += [f"for {values.team}"] if values.team else []
    said += [f"of risk {values.risk_category}"] if values.risk_category else []
    said += [f"from {amounts.whole(values.above)} extra"] if values.above is not None else []
    return f"Requests {', '.join(said)}" if said else "Every request"


def who(rule: ApprovalRule) -> str:
    """Who decides, as a sentence."""
    named = [person(one, one.username) for one in rule.people.all()]
    whom = ", ".join(named) or f"{rule.get_role_display()} of the team or the company"
    policies = ApprovalRequest.Kind.POLICY.value
    if not named and (not rule.kinds or policies in rule.kinds):
        whom = "Policy admin" if rule.kinds == [policies] else f"{whom}; of a policy, Policy admin"
    return f"{'Two of' if rule.approvers_needed == 2 else 'One of'}: {whom}"


@require_safe
@never_cache
@in_reach
def rules_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/approval-rules.csv`."""
    rows = []
    for place, rule in enumerate(seen_by(request), start=1):
        values = values_of(rule).as_json()
        values["above"] = "" if rule.above is None else exact(rule.above)
        rest = [" ".join(one) if isinstance(one, list) else one for one in values.values()]
        rows.append([place, *rest])
    return csv_response("approval-rules", HEADER, rows)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def new(request: HttpRequest) -> HttpResponseBase:
    """`/approvals/rules/new/`."""
    if request.method != "POST":
        return _page(request, RuleForm(initial=first_values(RuleValues(""))))
    form = RuleForm(request.POST)
    if form.is_valid():
        try:
            made = edit_rules.create_rule(Actor.of_request(request), form.values)
        except InvalidRule as error:
            form.refuse(error.problems)
        else:
            return _saved(request, made, f"{made.name} is in use from now on.")
    return _page(request, form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/approvals/rules/<id>/`."""
    rule = get_object_or_404(live_rules(), pk=pk)
    if request.method != "POST":
        return _page(request, RuleForm(initial=first_values(values_of(rule))), rule)
    form = RuleForm(request.POST)
    if not form.is_valid():
        return _page(request, form, rule, 422)
    seen = request.POST.get("seen", "")
    known = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else None
    try:
        saved = edit_rules.change_rule(Actor.of_request(request), rule, form.values, expected_version=known)
    except InvalidRule as error:
        form.refuse(error.problems)
        return _page(request, form, rule, 422)
    except (RefusedRule, StaleRule) as error:
        form.add_error(None, str(error))
        return _page(request, form, rule, 409)
    return _saved(request, saved, f"{saved.name} is saved. It counts for requests from now on.")


@require_POST
@may_change
def move(request: HttpRequest, pk: int) -> HttpResponseBase:
    """To `place` among the rules; the first that fits a request decides."""
    rule = get_object_or_404(live_rules(), pk=pk)
    place = request.POST.get("place", "")
    if not (place.isascii() and place.isdecimal() and len(place) < 6):
        tell_problem(request, "Say to which place, from 1.")
        return redirect("approval-rules")
    try:
        moved = edit_rules.move_rule(Actor.of_request(request), rule, int(place))
    except (RefusedRule, StaleRule) as error:
        tell_problem(request, str(error))
        return redirect("approval-rules")
    return _saved(request, moved, f"{moved.name} is moved.")


@require_POST
@may_change
def archive(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of use; the toast offers to undo it."""
    rule = get_object_or_404(live_rules(), pk=pk)
    edit_rules.archive_rule(Actor.of_request(request), rule)
    return _saved(request, rule, f"{rule.name} is archived.")


@require_POST
@may_change
def undo(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Restore how a rule was before this row of history."""
    row = get_object_or_404(AuditEntry, pk=entry, object_type=ApprovalRule._meta.label_lower)
    try:
        rule = edit_rules.undo_rule(Actor.of_request(request), row)
    except (RefusedRule, StaleRule, InvalidRule) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{rule.name} is as it was before.")
    return redirect("approval-rules")


def _saved(request: HttpRequest, rule: ApprovalRule, text: str) -> HttpResponse:
    entry = newest_entry(ApprovalRule, rule.pk)
    tell(request, text, reverse("approval-rule-undo", args=[entry.pk]) if entry else "")
    return go(request, reverse("approval-rules"))


def _page(request: HttpRequest, form: RuleForm, rule: ApprovalRule | None = None, status: int = 200) -> HttpResponse:
    context = {"here": "settings", "form": form, "rule": rule}
    return render(request, "approvals/rule.html", context, status=status)
