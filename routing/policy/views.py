"""The policy in the browser, to look at: the one in force, earlier versions, and both as CSV. Going back to one."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.roles import reach
from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes, signed_in, who_gives_roles
from routing.models import PolicyVersion
from routing.policy import listing
from routing.policy.compare import differences
from routing.policy.document import Policy
from routing.policy.edit import RefusedEdit, live_version, policy_of
from routing.policy.publish import roll_back as roll_back_to
from routing.policy.shape import InvalidPolicy
from routing.policy.shown import known_names, shown, shown_rules, shown_tiers

CHANGE, PUBLISH = "routing.change_policy", "routing.publish_policy"
may_change = changes(CHANGE, "the policy")
may_publish = changes(PUBLISH, "the policy")
State = PolicyVersion.State
TIERS_HEADER = [
    "tier", "name", "needs_approval", "review_note", "place", "provider", "model", "currency", "input_per_million",
    "output_per_million", "latency_ms_typed", "latency_ms_measured", "quality_typed", "quality_measured",
]  # fmt: skip
RULES_HEADER = ["place", "id", "name", "when", "then", "calls_fitted"]
VERSIONS_HEADER = ["version", "in_force", "title", "note", "published_at", "published_by"]
DIFFERENCES_HEADER = ["kind", "subject", "sentence", "before", "after"]


def rights(request: HttpRequest) -> dict[str, Any]:
    """What the reader may do, and who can give the right where they may not."""
    may = reach(request.user, CHANGE).everything
    return {
        "here": "policy",
        "may_change": may,
        "may_publish": reach(request.user, PUBLISH).everything,
        "who": "" if may else who_gives_roles(),
    }


@require_safe
@never_cache
@signed_in
def live(request: HttpRequest) -> HttpResponseBase:
    """`/routing/`: the policy in force, drafts, versions."""
    organisation, now, version = Organisation.get(), timezone.now(), live_version()
    past = listing.calls_by_rule(version, organisation)
    versions = [
        listing.version_line(one, organisation, now) for one in listing.all_versions()[: listing.SHOWN_VERSIONS]
    ]
    context = {
        "tab": "policy",
        "version": listing.version_line(version, organisation, now) if version else None,
        "policy": shown(policy_of(version), now, past.rules if past else None),
        "past": past,
        "drafts": [listing.draft_line(one, organisation, now) for one in listing.open_drafts()],
        "versions": versions,
        "query": "",
    }
    return render(request, "routing/policy.html", rights(request) | context)


@require_safe
@never_cache
@signed_in
def version(request: HttpRequest, number: int) -> HttpResponseBase:
    """`/routing/versions/<number>/`: one that was published, and what differs from the one in force."""
    organisation, now = Organisation.get(), timezone.now()
    found = get_object_or_404(PolicyVersion.objects.select_related("published_by", "request"), number=number)
    policy, in_force = policy_of(found), live_version()
    past = listing.calls_by_rule(found, organisation)
    context = {
        "tab": "policy",
        "version": listing.version_line(found, organisation, now),
        "policy": shown(policy, now, past.rules if past else None),
        "past": past,
        "in_force": in_force,
        "differences": differences(policy_of(in_force), policy) if in_force and not found.live else [],
        "query": f"?version={number}",
    }
    return render(request, "routing/version.html", rights(request) | context)


@require_POST
@may_publish
def roll_back(request: HttpRequest, number: int) -> HttpResponseBase:
    """Put an earlier version in force again; the toast offers to go back to the one before."""
    found = get_object_or_404(PolicyVersion, number=number)
    before = live_version()
    over = request.POST.get("over") or request.GET.get("over", "")
    seen = int(over) if over.isascii() and over.isdecimal() and len(over) < 10 else None
    try:
        made = roll_back_to(Actor.of_request(request), found, over=seen)
    except RefusedEdit as error:
        tell_problem(request, str(error))
    except InvalidPolicy as error:
        tell_problem(request, f"Nothing was changed. {error}")
    else:
        tell(request, f"Version {number} is in force again, as version {made.number}.", undo_url(before, made))
    return go(request, reverse("policy"))


def undo_url(before: PolicyVersion | None, made: PolicyVersion) -> str:
    """Where a toast goes back to the version before the one just made, unless that was replaced; "" for none."""
    return f"{reverse('policy-roll-back', args=[before.number])}?over={made.number}" if before else ""


def asked_for(request: HttpRequest) -> tuple[PolicyVersion | None, Policy]:
    """The version that the query string names: `version` by number, `draft` by id; without either the one in force."""
    number, draft = request.GET.get("version", ""), request.GET.get("draft", "")
    given = number or draft
    if not given:
        found = live_version()
        return found, policy_of(found)
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise Http404
    rows = PolicyVersion.objects.filter(**{"number": int(number)} if number else {"pk": int(draft)})
    found = get_object_or_404(rows)
    return found, policy_of(found)


@require_safe
@never_cache
@signed_in
def tiers_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/policy-tiers.csv?version=|draft=`: a line for each model; a tier without one has a line of its own."""
    found, policy = asked_for(request)
    return csv_response(file_name("policy-tiers", found), TIERS_HEADER, tier_lines(policy, timezone.now()))


def tier_lines(policy: Policy, now: datetime) -> Iterator[list[Any]]:
    for one in shown_tiers(policy, now):
        tier = one.tier
        head = [tier.number, tier.name, "yes" if tier.needs_approval else "no", tier.review_note]
        if not one.models:
            yield [*head, *[""] * (len(TIERS_HEADER) - len(head))]
        for model, entry in zip(one.models, tier.models, strict=True):
            facts = model.facts
            yield [
                *head, model.place, model.provider, model.model, "USD" if facts.is_priced else "", facts.exact_input,
                facts.exact_output, entry.latency_ms or "", facts.latency_ms or "", entry.quality or "", facts.quality,
            ]  # fmt: skip


@require_safe
@never_cache
@signed_in
def rules_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/policy-rules.csv?version=|draft=`: in the order in which they are tried."""
    found, policy = asked_for(request)
    past = listing.calls_by_rule(found, Organisation.get())
    rows = shown_rules(policy.rules, known_names(policy), past.rules if past else None)
    lines = ([r.place, r.rule.id, r.rule.name, r.when, r.then, "" if r.calls is None else r.calls] for r in rows)
    return csv_response(file_name("policy-rules", found), RULES_HEADER, lines)


@require_safe
@never_cache
@signed_in
def versions_csv(request: HttpRequest) -> HttpResponse | HttpResponseBase:
    """`/export/policy-versions.csv`: all that were published."""
    lines = (
        [
            one.number,
            "yes" if one.live else "",
            one.title,
            one.note,
            one.published_at.isoformat() if one.published_at else "",
            listing.person(one.published_by, one.published_text),
        ]
        for one in listing.all_versions()
    )
    return csv_response("policy-versions", VERSIONS_HEADER, lines)


@require_safe
@never_cache
@signed_in
def differences_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/policy-differences.csv?version=|draft=`: what it says otherwise than the version in force."""
    found, policy = asked_for(request)
    told = differences(policy_of(live_version()), policy)
    lines = ([one.kind, one.subject, one.sentence, said(one.before), said(one.after)] for one in told)
    return csv_response(file_name("policy-differences", found), DIFFERENCES_HEADER, lines)


def said(value: Any) -> str:
    return "" if value is None else str(value)


def file_name(kind: str, found: PolicyVersion | None) -> str:
    """ "policy-rules-version-3", "policy-rules-draft-12"."""
    if found is None:
        return kind
    return f"{kind}-version-{found.number}" if found.number else f"{kind}-draft-{found.pk}"
