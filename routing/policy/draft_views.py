"""Drafts of the policy in the browser: begin, look at with what is wrong, compare, publish, discard, undo."""

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.record import Actor
from budgets.models import Organisation
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import signed_in
from routing.models import PolicyVersion
from routing.policy import listing
from routing.policy.beside import beside
from routing.policy.compare import differences
from routing.policy.edit import (
    LONGEST_NOTE,
    LONGEST_TITLE,
    RefusedEdit,
    StaleEdit,
    begin_draft,
    discard_draft,
    live_version,
    policy_of,
    restore_draft,
)
from routing.policy.editing import draft_of, save, seen_version, take_back
from routing.policy.known import read_known
from routing.policy.publish import LiveMoved
from routing.policy.publish import publish as put_in_force
from routing.policy.shape import InvalidPolicy
from routing.policy.shown import known_names, shown
from routing.policy.validate import remarks
from routing.policy.views import may_change, may_publish, rights, undo_url

State = PolicyVersion.State


class WordsForm(forms.Form):
    """What a draft is called, and why it is made."""

    title = forms.CharField(
        label="Name", max_length=LONGEST_TITLE, error_messages={"required": "Give the draft a name."},
        help_text="What the change is for, such as “Cheaper drafts”.",
    )  # fmt: skip
    note = forms.CharField(
        label="Why", required=False, max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Shown beside the version, and to the person who approves it.",
    )  # fmt: skip


@require_POST
@may_change
def begin(request: HttpRequest) -> HttpResponseBase:
    """A copy of the version in force, or of the one whose number is sent as `version`; then to its page.

    One's own draft of the same that nothing was done to is gone on with.
    """
    number = request.POST.get("version", "")
    known = number.isascii() and number.isdecimal() and len(number) < 10
    based_on = get_object_or_404(PolicyVersion, number=int(number)) if known else live_version()
    untouched = PolicyVersion.objects.filter(
        state=State.DRAFT, edit_version=1, created_by=request.user.pk, based_on=based_on
    ).first()
    title = f"Change to version {based_on.number}" if based_on and based_on.live else "New policy"
    if based_on and not based_on.live:
        title = f"From version {based_on.number}"
    draft = untouched or begin_draft(Actor.of_request(request), title, based_on)
    tell(request, "Nothing here is in force before it is published. Change what you like.")
    return go(request, reverse("policy-draft", args=[draft.pk]))


@require_safe
@never_cache
@signed_in
def draft(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/`: all of it, with remarks where they belong; a published one is a version's page."""
    found = get_object_or_404(PolicyVersion, pk=pk)
    if found.number:
        return redirect("policy-version", number=found.number)
    return draft_page(request, draft_of(pk))


def draft_page(request: HttpRequest, found: PolicyVersion, problem: str = "", status: int = 200) -> HttpResponse:
    """The draft's page; `problem` says what was not done."""
    organisation, now, policy, in_force = Organisation.get(), timezone.now(), policy_of(found), live_version()
    told = listing.placed(remarks(policy, read_known(policy, now)))
    rights_ = rights(request)
    context = {
        "tab": "policy",
        "draft": found,
        "line": listing.draft_line(found, organisation, now),
        "policy": shown(policy, now, None, told),
        "remarks": told,
        "in_force": in_force,
        "differences": differences(policy_of(in_force), policy),
        "preview_url": preview_url(found),
        "needs_second": organisation.policy_needs_second,
        "edits": rights_["may_change"] and found.state == State.DRAFT,
        "problem": problem,
        "query": f"?draft={found.pk}",
    }
    return render(request, "routing/draft.html", rights_ | context, status=status)


def preview_url(found: PolicyVersion) -> str:
    """The page that tries the draft on past calls; empty where this installation has none."""
    try:
        return reverse("policy-preview", args=[found.pk])
    except NoReverseMatch:
        return ""


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def words(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/name/`: what it is called, and why."""
    found, status = draft_of(pk), 200
    form = WordsForm(request.POST or None, initial={"title": found.title, "note": found.note})
    if request.method == "POST":
        status = 422
        if form.is_valid():
            title, note = form.cleaned_data["title"], form.cleaned_data["note"]
            try:
                save(request, found, policy_of(found), "The name is saved.", title=title, note=note)
            except InvalidPolicy as error:
                for name, sentence in error.problems.items():
                    form.add_error(name if name in form.fields else None, sentence)
            except (RefusedEdit, StaleEdit) as error:
                form.add_error(None, str(error))
                status = 409
            else:
                return go(request, reverse("policy-draft", args=[pk]))
    seen = seen_version(request) or found.edit_version
    context = {"draft": found, "form": form, "seen": seen}
    return render(request, "routing/words.html", rights(request) | context, status=status)


@require_safe
@never_cache
@signed_in
def compare(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/compare/`: side by side with the version in force."""
    found = draft_of(pk)
    in_force, policy = live_version(), policy_of(found)
    context = {
        "tab": "policy",
        "draft": found,
        "in_force": in_force,
        "differences": differences(policy_of(in_force), policy),
        "parts": beside(policy_of(in_force), policy, known_names(policy)),
        "query": f"?draft={found.pk}",
    }
    return render(request, "routing/compare.html", rights(request) | context)


@require_POST
@may_publish
def publish(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Put it in force, over the version that was seen beside it (`over`); or ask the second person that it needs."""
    found, before = draft_of(pk), live_version()
    over = request.POST.get("over", "")
    seen_live = int(over) if over.isascii() and over.isdecimal() and len(over) < 10 else None
    try:
        made = put_in_force(Actor.of_request(request), found, over=seen_live, edit_version=seen_version(request))
    except InvalidPolicy:
        said = "It was not published. What is marked as a problem below has to be mended first."
        return draft_page(request, found, said, 422)
    except LiveMoved as error:
        return draft_page(request, draft_of(pk), str(error), 409)
    except (RefusedEdit, StaleEdit) as error:
        return draft_page(request, draft_of(pk), f"It was not published. {error}", 409)
    if made.state == State.WAITING:
        tell(request, "A second person is asked. It is published once they approve it.")
        return go(request, reverse("policy-draft", args=[pk]))
    tell(request, f"Version {made.number} is in force. Gateways have it within seconds.", undo_url(before, made))
    return go(request, reverse("policy"))


@require_POST
@may_change
def discard(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Put it away; the toast offers to bring it back."""
    found = draft_of(pk)
    try:
        discard_draft(Actor.of_request(request), found)
    except (RefusedEdit, StaleEdit) as error:
        return draft_page(request, draft_of(pk), str(error), 409)
    tell(request, f"“{found.title}” is discarded.", reverse("policy-draft-restore", args=[pk]))
    return go(request, reverse("policy"))


@require_POST
@may_change
def restore(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Undo discarding it."""
    found = draft_of(pk)
    try:
        restore_draft(Actor.of_request(request), found)
    except RefusedEdit as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"“{found.title}” is a draft again.")
    return go(request, reverse("policy-draft", args=[pk]))


@require_POST
@may_change
def undo(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take back this reader's last change of the draft."""
    found = draft_of(pk)
    try:
        take_back(request, found)
    except (InvalidPolicy, RefusedEdit, StaleEdit) as error:
        tell_problem(request, str(error))
    else:
        tell(request, "Undone. The draft is as it was before.")
    return go(request, reverse("policy-draft", args=[pk]))
