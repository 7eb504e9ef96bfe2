"""`/welcome/`: the set-up list. Every step can be left and taken up again; nothing here is the only way to anything."""

from django import forms
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from budgets.access.change import InvalidKey, KeyValues, create_key
from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.pages.answers import tell, tell_problem
from budgets.pages.door import changes, signed_in
from budgets.pages.moments import ago
from usage.welcome import steps
from usage.welcome.first_event import last_arrival, newest_source, send_test_event

SCOPES = ("ingest", "bundle")


class KeyForm(forms.Form):
    """A name is enough; what it may do is said on the page."""

    name = forms.CharField(
        label="Who sends it?",
        max_length=128,
        initial="My gateway",
        help_text="The gateway or program. The key may send usage and pull the policy, nothing else.",
    )


def _url(step: str) -> str:
    return f"{reverse('welcome')}?step={step}#step"


@require_safe
@never_cache
@signed_in
def welcome(request: HttpRequest) -> HttpResponseBase:
    """The list, with one step open: the one asked for, or the next."""
    organisation = Organisation.get()
    found = steps.progress(organisation)
    opened = found.find(request.GET.get("step", "")) or found.next
    return _page(request, organisation, found, opened, KeyForm())


def _page(
    request: HttpRequest,
    organisation: Organisation,
    found: steps.Progress,
    opened: steps.Step | None,
    form: KeyForm,
    secret: str = "",
) -> HttpResponse:
    arrival = last_arrival() if opened and opened.key == steps.USAGE else None
    return render(
        request,
        "welcome/page.html",
        {
            "here": "welcome",
            "organisation": organisation,
            "progress": found,
            "opened": opened,
            "form": form,
            "secret": secret,
            "source": newest_source() if opened and opened.key == steps.USAGE else None,
            "events_url": request.build_absolute_uri(reverse("events")),
            "arrival": arrival,
            "arrived": ago(timezone.now() - arrival.at) if arrival else "",
            "now": timezone.now(),
        },
        status=422 if form.errors else 200,
    )


@require_POST
@never_cache
@changes("budgets.add_apikey", "keys")
def first_key(request: HttpRequest) -> HttpResponseBase:
    """Make a key. Its text is in this one answer; no address leads to it again."""
    form, secret = KeyForm(request.POST), ""
    organisation = Organisation.get()
    if form.is_valid():
        values = KeyValues(form.cleaned_data["name"], SCOPES)
        try:
            actor = Actor.of_request(request)
            _, secret = create_key(actor, values, by=actor.user, one_of_a_name=True)
        except InvalidKey as error:
            form.add_error("name", " ".join(error.problems.values()))
    found = steps.progress(organisation)
    answer = _page(request, organisation, found, found.find(steps.USAGE), form, secret)
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@require_POST
@changes("budgets.add_apikey", "keys")
def test_event(request: HttpRequest) -> HttpResponseBase:
    """Send a call that costs nothing through the real intake."""
    source = newest_source()
    if source is None:
        tell_problem(request, "Make a key first: the test is sent in its name.")
    else:
        answer = send_test_event(source)
        if answer.accepted:
            tell(request, "The test call was taken. It used nothing and costs nothing.")
        else:
            tell_problem(request, answer.items[0]["problem"]["detail"])
    return redirect(_url(steps.USAGE))


@require_safe
@never_cache
@signed_in
def arrival(request: HttpRequest) -> HttpResponseBase:
    """The line that says what arrived last, asked for every two seconds while the step is open."""
    found = last_arrival()
    arrived = ago(timezone.now() - found.at) if found else ""
    return render(request, "welcome/arrival.html", {"arrival": found, "arrived": arrived})


@require_POST
@changes("budgets.change_organisation", "the set-up")
def said(request: HttpRequest, step: str, what: str) -> HttpResponseBase:
    """Skip a step, confirm it, or take that back."""
    if step not in {key for key, _, _ in steps.STEPS} or what not in {"skip", "confirm", "reopen"}:
        raise Http404
    with transaction.atomic():
        steps.say(
            Actor.of_request(request), step, {"skip": steps.SKIPPED, "confirm": steps.CONFIRMED, "reopen": ""}[what]
        )
    return redirect(_url(step) if what == "reopen" else "welcome")


@require_POST
@changes("budgets.change_organisation", "the set-up")
def finish(request: HttpRequest) -> HttpResponseBase:
    """Take the card out of the menu, whatever is open."""
    with transaction.atomic():
        steps.say(Actor.of_request(request), steps.FINISHED, steps.CONFIRMED)
    tell(request, "The set-up list is put away. It stays at this address.", reverse("welcome-unfinish"))
    return redirect("overview")


@require_POST
@changes("budgets.change_organisation", "the set-up")
def unfinish(request: HttpRequest) -> HttpResponseBase:
    """Put the card back into the menu."""
    with transaction.atomic():
        steps.say(Actor.of_request(request), steps.FINISHED, "")
    return redirect("welcome")


@require_safe
@never_cache
@signed_in
def card(request: HttpRequest) -> HttpResponseBase:
    """What stands in the menu's card: how many of five, and what is next. The link around it stays, and its focus."""
    return render(request, "welcome/card.html", {"progress": steps.progress(Organisation.get())})
