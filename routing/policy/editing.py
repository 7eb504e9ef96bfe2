"""What the pages that edit a draft share: fetching it, saving what one of them changed, taking that back once."""

from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from budgets.audit.record import Actor
from budgets.pages.answers import go, tell, tell_problem
from routing.models import PolicyVersion
from routing.policy.document import Policy, read
from routing.policy.edit import RefusedEdit, StaleEdit, save_draft
from routing.policy.shape import InvalidPolicy

KEPT = "policy_undo"  # in the session: the document that the last save replaced


def draft_of(pk: int) -> PolicyVersion:
    """The draft with this id, in whatever state; 404 for none, and for what is published."""
    rows = PolicyVersion.objects.exclude(state=PolicyVersion.State.PUBLISHED)
    return get_object_or_404(rows.select_related("request", "based_on", "created_by"), pk=pk)


def seen_version(request: HttpRequest) -> int:
    """The `edit_version` that the reader saw; 0, which none has, where the form does not say."""
    seen = request.POST.get("seen", "")
    return int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0


def save(request: HttpRequest, draft: PolicyVersion, policy: Policy, said: str, **words: Any) -> PolicyVersion:
    """Save and say so, with an undo. Raises what `routing.policy.edit.save_draft` does."""
    before = draft.document
    saved = save_draft(Actor.of_request(request), draft, policy, seen_version(request), **words)
    if saved.edit_version == draft.edit_version:
        tell(request, "Nothing was different, so nothing was saved.")
    else:
        keep(request.session, draft, saved, before)
        tell(request, said, reverse("policy-draft-undo", args=[draft.pk]))
    return saved


def keep(session: SessionBase, draft: PolicyVersion, saved: PolicyVersion, document: dict[str, Any]) -> None:
    """Remember what the draft said before, for `take_back`."""
    session[KEPT] = {
        "draft": draft.pk,
        "edit_version": saved.edit_version,
        "document": document,
        "title": draft.title,
        "note": draft.note,
    }


def take_back(request: HttpRequest, draft: PolicyVersion) -> None:
    """Have the draft say what it did before this reader's last save. Raises RefusedEdit, StaleEdit."""
    kept = request.session.get(KEPT) or {}
    if kept.get("draft") != draft.pk or kept.get("edit_version") != draft.edit_version:
        raise RefusedEdit("The draft was changed since, so nothing was undone.")
    save_draft(
        Actor.of_request(request),
        draft,
        read(kept["document"]),
        kept["edit_version"],
        title=kept["title"],
        note=kept["note"],
    )
    del request.session[KEPT]


def save_and_go(request: HttpRequest, draft: PolicyVersion, policy: Policy, said: str, part: str = "") -> HttpResponse:
    """For a button that changes the draft at once: to the draft's page, whatever came of it."""
    try:
        save(request, draft, policy, said)
    except (InvalidPolicy, RefusedEdit, StaleEdit) as error:
        tell_problem(request, str(error))
    return go(request, f"{reverse('policy-draft', args=[draft.pk])}{f'#{part}' if part else ''}")
