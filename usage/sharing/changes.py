"""Changing pools in the browser: make one, put budgets in and take them out, set shares, share out, undo."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.audit.record import Actor
from budgets.limits.edit import (
    OBJECT_TYPE,
    InvalidBudget,
    RefusedEdit,
    StaleEdit,
    changing_pools_too,
    create_budget,
    last_change,
    undo_change,
)
from budgets.models import AuditEntry, Budget, Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_budgets
from budgets.pools import membership
from budgets.pools.reallocate import StalePreview, share_out
from usage.sharing.forms import JoinForm, PoolForm, SharesForm, SharingForm
from usage.sharing.proposal import Proposal, opened, propose
from usage.sharing.views import SUGGESTED, open_pool, pool_page

FIELDS_OF = {"budget": "budget", "name": "name", "amount": "amount", "pool_share": "share", "sharing": "sharing"}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_budgets
def new(request: HttpRequest) -> HttpResponseBase:
    """`/pools/new/`: share out a budget that is there, or a new one."""
    if request.method != "POST":
        return _new_page(request, PoolForm(initial={"budget": request.GET.get("budget", "")[:128]}))
    form = PoolForm(request.POST)
    if not form.is_valid():
        return _new_page(request, form)
    made = _attempt(form, lambda: _make(Actor.of_request(request), form, request.user.pk))
    if made is None:
        return _new_page(request, form)
    tell(request, f"{made.name} is a pool now. Put budgets into it.")
    return go(request, reverse("pool", args=[made.slug]))


def _make(actor: Actor, form: PoolForm, owner_id: int | None) -> Budget:
    sharing, nightly = form.cleaned_data["sharing"], form.cleaned_data["shares_nightly"]
    with changing_pools_too():
        budget = form.chosen
        if budget is None:
            assert form.values is not None  # `clean` leaves one of the two, or an error
            budget = create_budget(actor, replace(form.values, owner_id=owner_id))
        return membership.set_sharing(actor, budget, sharing, nightly)


def _new_page(request: HttpRequest, form: PoolForm) -> HttpResponse:
    live = Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(sharing="", pool=None).order_by("name")
    context = {
        "here": "budgets",
        "organisation": Organisation.get(),
        "form": form,
        "candidates": live.values_list("slug", "name")[:SUGGESTED],
    }
    return render(request, "pools/new.html", context, status=422 if form.errors else 200)


def _attempt(form: forms.Form, act: Callable[[], Any]) -> Any:
    """What `act` gives; None where it was refused, which the form then says."""
    try:
        return act()
    except InvalidBudget as error:
        for name, said in error.problems.items():
            field = FIELDS_OF.get(name, "")
            form.add_error(field if field in form.fields else ("budget" if "budget" in form.fields else None), said)
    except (RefusedEdit, StaleEdit) as error:
        form.add_error("budget" if "budget" in form.fields else None, str(error))
    return None


@require_POST
@never_cache
@changes_budgets
def sharing(request: HttpRequest, slug: str) -> HttpResponseBase:
    """How it is shared, and whether each night."""
    pool, form = open_pool(slug), SharingForm(request.POST)
    if not form.is_valid():
        return pool_page(request, pool, sharing=form)
    stated = form.cleaned_data
    done = _attempt(
        form,
        lambda: membership.set_sharing(Actor.of_request(request), pool, stated["sharing"], stated["shares_nightly"]),
    )
    if done is None:
        return pool_page(request, pool, sharing=form)
    nightly = "each night by itself" if done.shares_nightly else "when somebody confirms it"
    _tell(request, pool, done, f"{done.name} is shared out {nightly}.")
    return go(request, reverse("pool", args=[slug]))


@require_POST
@never_cache
@changes_budgets
def stop(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Make the pool a plain budget again; possible once nobody shares it."""
    pool = open_pool(slug)
    try:
        done = membership.set_sharing(Actor.of_request(request), pool, "")
    except (RefusedEdit, StaleEdit) as error:
        tell_problem(request, str(error))
        return go(request, reverse("pool", args=[slug]))
    _tell(request, pool, done, f"{done.name} is a plain budget again.")
    return go(request, reverse("budget", args=[slug]))


@require_POST
@never_cache
@changes_budgets
def join(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Put a budget into the pool."""
    pool, form = open_pool(slug), JoinForm(request.POST)
    if not form.is_valid():
        return pool_page(request, pool, joining=form)
    stated = form.cleaned_data
    done = _attempt(
        form, lambda: membership.join_pool(Actor.of_request(request), pool, stated["budget"], stated["share"])
    )
    if done is None:
        return pool_page(request, pool, joining=form)
    _tell(request, pool, done, f"{done.name} is in the pool and keeps its amount until it is shared out.")
    return go(request, reverse("pool", args=[slug]))


@require_POST
@never_cache
@changes_budgets
def leave(request: HttpRequest, slug: str, child: str) -> HttpResponseBase:
    """Take a budget out of the pool."""
    pool = open_pool(slug)
    budget = get_object_or_404(membership.live_children(pool), slug=child)
    try:
        done = membership.leave_pool(Actor.of_request(request), budget)
    except (RefusedEdit, StaleEdit) as error:
        tell_problem(request, str(error))
    else:
        _tell(request, pool, done, f"{done.name} is out of the pool. It keeps its amount.")
    return go(request, reverse("pool", args=[slug]))


@require_POST
@never_cache
@changes_budgets
def shares(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Set the shares in the table."""
    pool, form = open_pool(slug), SharesForm.read(request.POST.dict())
    if not form.errors:
        try:
            done = membership.set_shares(Actor.of_request(request), pool, form.shares)
        except (InvalidBudget, RefusedEdit, StaleEdit) as error:
            form.problem = str(error)
        else:
            _tell(request, pool, done, "Shares saved. Amounts change when the pool is shared out.")
            return go(request, reverse("pool", args=[slug]))
    form.problem = form.problem or "No share was saved. Mend what is marked."
    return pool_page(request, pool, shares=form)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes_budgets
def preview(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/pools/<slug>/share-out/`: what it would change and why; posted, exactly that is done."""
    pool, organisation = open_pool(slug), Organisation.get()
    if request.method != "POST":
        return _preview_page(request, propose(pool, organisation, timezone.now()))
    reason = request.POST.get("reason", "").strip()[:400].replace("\0", "")
    try:
        entry = share_out(Actor.of_request(request), pool, opened(request.POST.get("preview", ""), pool), reason)
    except (StalePreview, InvalidBudget, RefusedEdit) as error:
        return _preview_page(request, propose(pool, organisation, timezone.now()), str(error), 409)
    if entry is None:
        tell(request, "Nothing had to change.")
    else:
        count = len((entry.after or {})["amounts"])
        said = f"{pool.name} is shared out: {count} budget{' has' if count == 1 else 's have'} a new amount."
        tell(request, said, reverse("pool-undo", args=[slug, entry.pk]))
    return go(request, reverse("pool", args=[slug]))


def _preview_page(request: HttpRequest, proposal: Proposal, problem: str = "", status: int = 200) -> HttpResponse:
    context = {
        "here": "budgets",
        "organisation": Organisation.get(),
        "pool": proposal.pool,
        "proposal": proposal,
        "seal": proposal.sealed(),
        "problem": problem,
    }
    return render(request, "pools/share_out.html", context, status=status)


@require_POST
@never_cache
@changes_budgets
def undo(request: HttpRequest, slug: str, entry: int) -> HttpResponseBase:
    """Take back what a toast on the pool's page told of: a change of the pool or of a budget's place in it."""
    told = get_object_or_404(AuditEntry, pk=entry, object_type=OBJECT_TYPE)
    budget = get_object_or_404(Budget, pk=int(told.object_id))
    try:
        undo_change(Actor.of_request(request), budget, told)
    except (StaleEdit, RefusedEdit, InvalidBudget) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{budget.name} is as it was before.")
    is_pool = Budget.objects.filter(slug=slug).exclude(sharing="").exists()
    return go(request, reverse("pool" if is_pool else "budget", args=[slug]))


def _tell(request: HttpRequest, pool: Budget, changed: Budget, text: str) -> None:
    """A toast that offers to undo what was just done to `changed`."""
    entry = last_change(changed)
    tell(request, text, reverse("pool-undo", args=[pool.slug, entry.pk]) if entry else "")
