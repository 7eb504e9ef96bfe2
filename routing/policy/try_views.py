""" "Try it" in the browser: a call's facts, answered by the decision that gateways make, with every reason."""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.decide import decide_prepared
from tokenops_sdk.prepared import Prepared

from budgets.models import UNASSIGNED, Budget, Organisation
from budgets.pages.door import signed_in
from routing.bundle.snapshot import read_content
from routing.decision.current import NoBundle, decide_now
from routing.models import PolicyBundle, PolicyVersion
from routing.policy.decided import told
from routing.policy.document import Policy
from routing.policy.edit import live_version, policy_of
from routing.policy.shown import known_names
from routing.policy.try_form import TryForm
from routing.policy.views import rights
from routing.replay.basis import document_of


@require_safe
@never_cache
@signed_in
def page(request: HttpRequest) -> HttpResponseBase:
    """`/routing/try/?draft=`: the form; with any fact in the address, the answer beside it."""
    draft = _draft(request)
    version = draft or live_version()
    policy = policy_of(version)
    names = known_names(policy)
    asked = any(name in TryForm.base_fields for name in request.GET)
    form = TryForm(request.GET if asked else None, policy=policy, names=names)
    context: dict[str, Any] = {
        "tab": "try",
        "draft": draft,
        "version": version,
        "form": form,
        "offers": form.offers(),
        "answer": None,
    }
    if asked and form.is_valid():
        organisation = Organisation.get()
        decision = decided(form.request, policy, draft, organisation)
        context["behind"] = not draft and version and is_behind(version)
        named = {str(one["budget"]) for one in (*decision.changes, *decision.leases) if "budget" in one}
        budgets = dict(Budget.objects.filter(slug__in=named).values_list("slug", "name"))
        known = replace(names, workflows={**names.workflows, UNASSIGNED: "No workflow yet"})
        context["answer"] = told(decision, known, organisation.zone, budgets)
    return render(request, "routing/try.html", rights(request) | context, status=422 if form.errors else 200)


def _draft(request: HttpRequest) -> PolicyVersion | None:
    given = request.GET.get("draft", "")
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise Http404
    return get_object_or_404(PolicyVersion, pk=int(given))


def is_behind(version: PolicyVersion) -> bool:
    """Whether the newest bundle is from before this version was published. One statement; false without a bundle."""
    newest = PolicyBundle.objects.order_by("-epoch", "-revision").values_list("created_at", flat=True).first()
    return bool(newest and version.published_at and newest < version.published_at)


def decided(request: Request, policy: Policy, draft: PolicyVersion | None, organisation: Organisation) -> Decision:
    """What the newest bundle says of the call; for a draft, and before the first bundle, what one of `policy` would."""
    if draft is None:
        try:
            return decide_now(request)
        except NoBundle:
            pass
    now = timezone.now()
    number = draft.number if draft else None
    return decide_prepared(Prepared(document_of(policy, read_content(organisation), number or 0, now)), request, now)
