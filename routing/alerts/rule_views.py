"""Alert rules in the browser: as sentences, new with a preview, change, mute, test, archive, undo."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.access.reachable import NOT_YOURS, fetched, reachable
from budgets.access.roles import may, reach
from budgets.alerts import rules as edit
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.models import AlertRule, AuditEntry, Organisation
from budgets.pages.answers import go, tell
from budgets.pages.csv import csv_response
from budgets.pages.door import changes_in_reach, in_reach
from budgets.pages.moments import moment
from budgets.pages.named import team_choices
from budgets.people.names import shown_name
from routing.alerts.forms import MuteForm, RuleForm, first_values
from routing.alerts.listing import trigger_words
from routing.alerts.preview import preview_of
from routing.alerts.reaching import CHANGE
from routing.alerts.saving import make_rule, save_rule
from routing.alerts.times import FOR_GOOD, until
from routing.alerts.trial import send_trial
from routing.alerts.triggers import TRIGGERS
from routing.alerts.words import example, rule_sentence

PER_PAGE = 50
RECENT = timedelta(days=30)
changes = changes_in_reach(CHANGE, "alert rules")
STATES: Mapping[str, str] = {"": "In use", "muted": "Muted", "problem": "Not working", "archived": "Archived"}
OBJECT_TYPE = AlertRule._meta.label_lower
HEADER = [
    "id", "name", "sentence", "trigger", "team", "owner", "channels", "urgent", "last_alert_at", "alerts_in_30_days",
    "muted", "muted_until", "problem", "archived_at",
]  # fmt: skip


def _muted(now: datetime) -> Q:
    return Q(muted_at__isnull=False) & (Q(muted_until=None) | Q(muted_until__gt=now))


def _chosen(request: HttpRequest, now: datetime) -> tuple[QuerySet[AlertRule], dict[str, str]]:
    """The rules that the query string asks for, and what of it was understood."""
    given = request.GET
    chosen = {
        "state": given.get("state", "") if given.get("state", "") in STATES else "",
        "team": given.get("team", "").replace("\0", "")[:128],
        "q": given.get("q", "").replace("\0", "").strip()[:100],
    }
    rows = reachable(AlertRule, request.user).filter(archived_at__isnull=chosen["state"] != "archived")
    if chosen["state"] == "muted":
        rows = rows.filter(_muted(now))
    if chosen["state"] == "problem":
        rows = rows.exclude(problem="")
    if chosen["team"]:
        rows = rows.filter(team__slug=chosen["team"])
    if chosen["q"]:
        rows = rows.filter(Q(name__icontains=chosen["q"]) | Q(channels__name__icontains=chosen["q"]))
    ids = rows.values("pk")
    recent = Count("alerts", filter=Q(alerts__raised_at__gte=now - RECENT))
    found = AlertRule.objects.filter(pk__in=ids).annotate(last=Max("alerts__raised_at"), recent=recent)
    return found.select_related("team", "owner").prefetch_related("channels").order_by("name", "pk"), chosen


@require_safe
@never_cache
@in_reach
def rule_list(request: HttpRequest) -> HttpResponseBase:
    """`/alerts/rules/`: each as a sentence; filters `state`, `team`, `q`."""
    organisation, now = Organisation.get(), timezone.now()
    found, chosen = _chosen(request, now)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    reached = reach(request.user, CHANGE)
    return render(
        request,
        "alerts/rules.html",
        {
            "here": "alerts",
            "page": page,
            "rows": [
                _row(rule, organisation, now) | {"may_change": reached.has({rule.team_id} if rule.team_id else ())}
                for rule in page.object_list
            ],
            "chosen": chosen,
            "is_any": not any(chosen.values()),
            "states": STATES.items(),
            "teams": team_choices("All teams", request.user),
            "may_make": bool(reached),
        },
    )


def _row(rule: AlertRule, organisation: Organisation, now: datetime) -> dict[str, Any]:
    local = organisation.local
    last = getattr(rule, "last", None)
    return {
        "rule": rule,
        "sentence": rule_sentence(rule),
        "last": moment(local(last), local(now)) if last else "",
        "recent": getattr(rule, "recent", 0),
        "owner": shown_name(rule.owner) if rule.owner else "",
        "muted": _muted_words(rule, organisation, now),
    }


def _muted_words(rule: AlertRule, organisation: Organisation, now: datetime) -> str:
    if not rule.is_muted(now):
        return ""
    if rule.muted_until is None:
        return "Muted until somebody unmutes it"
    return f"Muted until {moment(organisation.local(rule.muted_until), organisation.local(now))}"


@require_safe
@never_cache
@in_reach
def rules_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/alert-rules.csv`: the list's filter, every row."""
    now = timezone.now()
    found, _ = _chosen(request, now)

    def line(rule: Any) -> list[Any]:
        return [
            rule.pk,
            rule.name,
            rule_sentence(rule),
            rule.trigger,
            rule.team.slug if rule.team else "",
            rule.owner.username if rule.owner else "",
            ", ".join(one.name for one in rule.channels.all()),
            "yes" if rule.urgent else "",
            rule.last.isoformat() if rule.last else "",
            rule.recent,
            "yes" if rule.is_muted(now) else "",
            rule.muted_until.isoformat() if rule.muted_until else "",
            rule.problem,
            rule.archived_at.isoformat() if rule.archived_at else "",
        ]

    return csv_response("alert-rules", HEADER, map(line, found))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes
def new(request: HttpRequest) -> HttpResponseBase:
    """`/alerts/new/?trigger=`: that trigger's form, filled in from the query string or a rule to `copy`; without one,
    which there are."""
    copied = _copied(request)
    trigger = TRIGGERS.get(copied.trigger if copied else request.GET.get("trigger", ""))
    if trigger is None:
        offered = [{"key": key, "words": one.words, "sentence": example(one)} for key, one in TRIGGERS.items()]
        return render(request, "alerts/choose.html", {"here": "alerts", "offered": offered})
    if request.method != "POST":
        first = first_values(copied) | {"name": ""} if copied else _first(request, trigger)
        return _form(request, RuleForm(trigger=trigger, who=request.user, initial=first))
    form = RuleForm(request.POST, trigger=trigger, who=request.user)
    if "preview" in request.POST:
        return _form(request, form)
    if form.is_valid():
        try:
            made = make_rule(Actor.of_request(request), request.user, trigger, form.values)
        except edit.InvalidRule as error:
            form.refuse(error.problems)
        else:
            return _saved(request, made, f"“{made.name}” tells of what happens from now on.")
    return _form(request, form, status=422)


def _copied(request: HttpRequest) -> AlertRule | None:
    pk = request.GET.get("copy", "")
    if not (pk.isascii() and pk.isdecimal() and len(pk) < 19):
        return None
    return get_object_or_404(reachable(AlertRule, request.user), pk=int(pk))


def _first(request: HttpRequest, trigger: Any) -> dict[str, Any]:
    """What a link may fill in: the trigger's options, and the team."""
    known = {one.name for one in trigger.fields} | {"team"}
    given = {name: str(value).replace("\0", "")[:257] for name, value in request.GET.items() if name in known}
    return {"urgent": "1", "owner": request.user.get_username()} | given


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/alerts/rules/<id>/edit/`: its form for those who may change it, for others how it is."""
    rule = _fetched(request, pk)
    trigger = TRIGGERS.get(rule.trigger)
    may_change = may(request.user, CHANGE, rule)
    if request.method != "POST":
        if not may_change or trigger is None or rule.archived_at is not None:
            return render(request, "alerts/rule.html", _context(request, rule) | {"may_change": may_change})
        return _form(request, RuleForm(trigger=trigger, who=request.user, rule=rule, initial=first_values(rule)), rule)
    if not may_change:
        raise PermissionDenied(NOT_YOURS)
    if trigger is None:
        return _refused(request, rule, "What this rule tells of is no longer there. It can only be archived.")
    form = RuleForm(request.POST, trigger=trigger, who=request.user, rule=rule)
    return _form(request, form, rule) if "preview" in request.POST else _change(request, rule, form)


def _change(request: HttpRequest, rule: AlertRule, form: RuleForm) -> HttpResponse:
    if not form.is_valid():
        return _form(request, form, rule, 422)
    actor, seen = Actor.of_request(request), request.POST.get("seen", "")
    known = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else None
    try:
        saved = save_rule(actor, request.user, rule, form.trigger, form.values, expected_version=known)
    except edit.InvalidRule as error:
        form.refuse(error.problems)
        return _form(request, form, rule, 422)
    except (edit.RefusedRule, edit.StaleRule) as error:
        form.add_error(None, str(error))
        return _form(request, form, rule, 409)
    return _saved(request, saved, f"“{saved.name}” is saved.")


def _fetched(request: HttpRequest, pk: int, permission: str = "budgets.view") -> AlertRule:
    rows = reachable(AlertRule, request.user).select_related("team", "owner").prefetch_related("channels")
    return fetched(rows, request.user, permission, pk=pk)


@require_safe
@never_cache
@changes
def preview(request: HttpRequest) -> HttpResponseBase:
    """`/alerts/preview/?trigger=…`: a fragment for the form: the sentence, and what it would have told."""
    trigger = TRIGGERS.get(request.GET.get("trigger", ""))
    if trigger is None:
        return render(request, "alerts/preview.html", {"unknown": True})
    form = RuleForm(request.GET, trigger=trigger, who=request.user)
    return render(request, "alerts/preview.html", _previewed(request, form))


def _previewed(request: HttpRequest, form: RuleForm) -> dict[str, Any]:
    if not form.is_valid():
        return {"problems": [str(one) for said in form.errors.values() for one in said]}
    found = preview_of(request.user, form.trigger, form.values, timezone.now())
    return {"preview": found, "problems": list(found.problems.values())}


@require_POST
@changes
def mute(request: HttpRequest, pk: int) -> HttpResponseBase:
    """For how long (`until`) and why (`reason`): alerts are written, nobody is told."""
    rule, now, organisation = _fetched(request, pk, CHANGE), timezone.now(), Organisation.get()
    form = MuteForm(request.POST)
    if not form.is_valid():
        return _refused(request, rule, "Choose for how long to mute it. Nothing was changed.", 422)
    choice = form.cleaned_data["until"]
    when = None if choice == FOR_GOOD else until(choice, now, organisation.zone)
    try:
        rule = edit.mute(Actor.of_request(request), rule, when, form.cleaned_data["reason"], now)
    except (edit.RefusedRule, edit.InvalidRule) as error:
        return _refused(request, rule, str(error))
    return _saved(request, rule, f"“{rule.name}”: {_muted_words(rule, organisation, now).lower()}. Alerts are shown.")


@require_POST
@changes
def unmute(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Tell again from now on."""
    rule = _fetched(request, pk, CHANGE)
    try:
        edit.unmute(Actor.of_request(request), rule)
    except edit.RefusedRule as error:
        return _refused(request, rule, str(error))
    return _saved(request, rule, f"“{rule.name}” tells again.")


@require_POST
@changes
def test(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A message to its channels that says that it is a test."""
    rule = _fetched(request, pk, CHANGE)
    try:
        names = send_trial(Actor.of_request(request), rule)
    except edit.RefusedRule as error:
        return _refused(request, rule, str(error))
    tell(request, f"A test is on its way to {', '.join(names)}.")
    return go(request, reverse("alert-rule", args=[pk]))


@require_POST
@changes
def archive(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of use; the toast offers to undo it."""
    rule = edit.archive(Actor.of_request(request), _fetched(request, pk, CHANGE))
    return _saved(request, rule, f"“{rule.name}” is archived. It tells of nothing more.")


@require_POST
@changes
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Take back what this row of history tells of, where nothing happened since."""
    rule = _fetched(request, pk, CHANGE)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=OBJECT_TYPE, object_id=str(pk))
    before = told.before.get("team_id") if told.before else rule.team_id
    if not reach(request.user, CHANGE).has({before} if before else ()):
        raise PermissionDenied(NOT_YOURS)  # it would be another team's again
    try:
        edit.undo_rule(Actor.of_request(request), told)
    except edit.RefusedRule as error:
        return _refused(request, rule, str(error))
    tell(request, "Undone. The rule is as it was before.")
    return go(request, reverse("alert-rules"))


def _saved(request: HttpRequest, rule: AlertRule, said: str) -> HttpResponse:
    """The list, with a toast that offers to undo it."""
    entry = newest_entry(AlertRule, rule.pk)
    tell(request, said, reverse("alert-rule-undo", args=[rule.pk, entry.pk]) if entry else "")
    return go(request, reverse("alert-rules"))


def _refused(request: HttpRequest, rule: AlertRule, said: str, status: int = 409) -> HttpResponse:
    """The rule's page with what was not done."""
    rule = _fetched(request, rule.pk)
    context = _context(request, rule) | {"may_change": may(request.user, CHANGE, rule), "problem": said}
    return render(request, "alerts/rule.html", context, status=status)


def _context(request: HttpRequest, rule: AlertRule) -> dict[str, Any]:
    organisation, now = Organisation.get(), timezone.now()
    entry = newest_entry(AlertRule, rule.pk) if rule.archived_at else None
    return {
        "here": "alerts",
        "rule": rule,
        "row": _row(rule, organisation, now),
        "trigger_words": trigger_words(rule.trigger),
        "mute": MuteForm(auto_id="mute-%s"),
        "undo": entry.pk if entry and entry.act == "archived" else None,
    }


def _form(request: HttpRequest, form: RuleForm, rule: AlertRule | None = None, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"here": "alerts", "form": form, "trigger": form.trigger}
    if rule is not None:
        context |= _context(request, rule)
    if status == 200 and form.is_bound:  # the button for those without a script; the others' form asks by itself
        context |= _previewed(request, form)
    return render(request, "alerts/form.html", context, status=status)
