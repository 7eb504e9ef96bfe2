"""A tier of a draft in the browser: new, change, take out. Moving and adding models works without a script."""

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.organisation.configuration import current_generation
from budgets.pages.answers import go
from routing.models import PolicyVersion
from routing.policy.document import Policy, PolicyTier
from routing.policy.edit import RefusedEdit, StaleEdit, policy_of
from routing.policy.editing import draft_of, save, save_and_go, seen_version
from routing.policy.shape import InvalidPolicy
from routing.policy.shown import NOTHING_KNOWN, facts_of, tier_uses
from routing.policy.tier_form import TierForm, first_values
from routing.policy.views import may_change, rights
from usage.models import PriceEntry
from usage.prices import book
from usage.prices.book import STANDARD

MOST_OFFERED = 500  # in the list under the field; any other may be typed


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def new(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/tiers/new/`."""
    return _form(request, draft_of(pk), None)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def change(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/tiers/<number>/`."""
    draft = draft_of(pk)
    return _form(request, draft, _tier(policy_of(draft), number))


@require_POST
@may_change
def remove(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    """Take the tier out; the toast offers to put it back."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    tier = _tier(policy, number)
    rest = msgspec.structs.replace(policy, tiers=[one for one in policy.tiers if one.number != number])
    return save_and_go(request, draft, rest, f"{tier.name} is taken out of the draft.", "tiers")


def _tier(policy: Policy, number: int) -> PolicyTier:
    for tier in policy.tiers:
        if tier.number == number:
            return tier
    raise Http404


def _form(request: HttpRequest, draft: PolicyVersion, tier: PolicyTier | None) -> HttpResponseBase:
    policy = policy_of(draft)
    if request.method != "POST":
        return _page(request, draft, TierForm(policy=policy, tier=tier, initial=first_values(policy, tier)))
    form = TierForm(request.POST, policy=policy, tier=tier)
    act = request.POST.get("do", "")
    if act:
        return _arrange(request, draft, form, act)
    if form.data.get("add", "").strip() and (wrong := _add(form, form.data["add"])):
        form.add_error("add", wrong)
    if not form.is_valid():
        return _page(request, draft, form, 422)
    return _save(request, draft, policy, form)


def _add(form: TierForm, typed: str) -> str:
    return form.add_model(typed.replace("\0", ""), book.current(current_generation()).canonical)


def _arrange(request: HttpRequest, draft: PolicyVersion, form: TierForm, act: str) -> HttpResponse:
    """Move, take out or add a model in the form as it stands; nothing is saved by that."""
    if act != "add":
        return _page(request, draft, _again(form), told=form.arrange(act))
    wrong = _add(form, form.data.get("add", "").strip())
    if wrong:
        form.is_valid()
        for name in [*form.errors]:
            del form.errors[name]
        form.add_error("add", wrong)
        return _page(request, draft, form, 422)
    said = f"{form.rows[-1].name} is added at the end. Nothing is saved yet."
    return _page(request, draft, _again(form, add=""), told=said)


def _again(form: TierForm, **other: str) -> TierForm:
    """The form as typed, unchecked, with its rows as they are now."""
    typed = {name: form.data.get(name, "") for name in form.fields} | other
    typed["needs_approval"] = bool(form.data.get("needs_approval"))
    fresh = TierForm(policy=form.policy, tier=form.edited, initial=typed)
    fresh.rows = form.rows
    return fresh


def _save(request: HttpRequest, draft: PolicyVersion, policy: Policy, form: TierForm) -> HttpResponse:
    tier = form.tier()
    others = [one for one in policy.tiers if one.number != tier.number]
    changed = msgspec.structs.replace(policy, tiers=[*others, tier])
    try:
        save(request, draft, changed, f"{tier.name} is saved in the draft.")
    except InvalidPolicy as error:
        form.refuse({path.rpartition(".")[2]: said for path, said in error.problems.items()})
        return _page(request, draft, form, 422)
    except (RefusedEdit, StaleEdit) as error:
        form.add_error(None, str(error))
        return _page(request, draft, form, 409)
    return go(request, f"{reverse('policy-draft', args=[draft.pk])}#tiers")


def _page(
    request: HttpRequest, draft: PolicyVersion, form: TierForm, status: int = 200, told: str = ""
) -> HttpResponse:
    facts = facts_of([(row.provider, row.model) for row in form.rows], timezone.now())
    tier = form.edited
    context = {
        "draft": draft,
        "seen": seen_version(request) or draft.edit_version,
        "tier": tier,
        "form": form,
        "rows": [(row, facts.get((row.provider, row.model), NOTHING_KNOWN)) for row in form.rows],
        "offered": offered(),
        "workflows": tier_uses().get(tier.number, 0) if tier else 0,
        "told": told,
    }
    return render(request, "routing/tier.html", rights(request) | context, status=status)


def offered() -> list[str]:
    """ "provider/model" of the price book's standard prices, for the list under a field. One statement."""
    rows = PriceEntry.objects.filter(superseded_at=None, service_tier=STANDARD).order_by("provider", "model")
    found = rows.values_list("provider", "model").distinct()[:MOST_OFFERED]
    return [f"{provider}/{model}" for provider, model in found]
