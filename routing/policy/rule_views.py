"""Rules of a draft, and what no rule says, in the browser: new, change, move, duplicate, take out, check."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.models import Organisation
from budgets.pages.answers import go
from budgets.pages.moments import place
from routing.models import PolicyVersion
from routing.policy import default_form, rule_form
from routing.policy.default_form import DefaultForm
from routing.policy.document import Policy, Rule
from routing.policy.edit import RefusedEdit, StaleEdit, policy_of
from routing.policy.editing import draft_of, save, save_and_go, seen_version
from routing.policy.known import read_known
from routing.policy.rule_form import RuleForm, new_id
from routing.policy.shape import InvalidPolicy
from routing.policy.shown import known_names
from routing.policy.validate import Remark, remarks
from routing.policy.views import may_change, rights
from routing.policy.words import UNLISTED_WORDS, Names, daily_in_words, otherwise_in_words, rule_in_words

# Where the form has a field that the document calls otherwise, or splits in two.
FIELD_OF = {
    "latency_ms": "latency", "max_cost_nano": "max_cost", "input_tokens": "tokens_from", "provider": "model",
    "estimated_cost_nano": "cost_from", "complexity": "complexity_from", "business_value": "value_from",
    "time_of_day": "time_from",
}  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def new(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/rules/new/`: at the end of the rules."""
    return _form(request, draft_of(pk), None)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def change(request: HttpRequest, pk: int, rule: str) -> HttpResponseBase:
    """`/routing/drafts/<id>/rules/<rule's id>/`."""
    draft = draft_of(pk)
    return _form(request, draft, _rule(policy_of(draft), rule)[1])


def _rule(policy: Policy, rule_id: str) -> tuple[int, Rule]:
    """(place from 0, rule); 404 for none."""
    for n, rule in enumerate(policy.rules):
        if rule.id == rule_id:
            return n, rule
    raise Http404


def _form(request: HttpRequest, draft: PolicyVersion, rule: Rule | None) -> HttpResponseBase:
    policy = policy_of(draft)
    names = known_names(policy)
    if request.method != "POST":
        first = rule_form.first_values(rule) if rule else {}
        return _page(request, draft, rule, _made(draft, policy, names, rule, initial=first))
    form = _made(draft, policy, names, rule, request.POST)
    if not form.is_valid():
        return _page(request, draft, rule, form, 422)
    stated = form.rule(rule.id if rule else new_id(form.cleaned_data["name"], [one.id for one in policy.rules]))
    changed = with_rule(policy, stated)
    try:
        save(request, draft, changed, f"“{stated.name}” is saved in the draft.")
    except InvalidPolicy as error:
        form.refuse(by_field(error.problems))
        return _page(request, draft, rule, form, 422)
    except (RefusedEdit, StaleEdit) as error:
        form.add_error(None, str(error))
        return _page(request, draft, rule, form, 409)
    return go(request, f"{reverse('policy-draft', args=[draft.pk])}#rules")


def _made(draft: PolicyVersion, policy: Policy, names: Names, rule: Rule | None, *args: Any, **kwargs: Any) -> RuleForm:
    zone = place(Organisation.get().time_zone)
    check_url = reverse("policy-rule-check", args=[draft.pk])
    kwargs |= {"policy": policy, "names": names, "zone_words": zone, "check_url": check_url}
    return RuleForm(*args, current=rule.then if rule else None, **kwargs)


def with_rule(policy: Policy, rule: Rule) -> Policy:
    """The rule in place of the one with its id, else at the end."""
    if any(one.id == rule.id for one in policy.rules):
        return msgspec.structs.replace(policy, rules=[rule if one.id == rule.id else one for one in policy.rules])
    return msgspec.structs.replace(policy, rules=[*policy.rules, rule])


def by_field(problems: Mapping[str, str]) -> dict[str, str]:
    """Problems by path in the document ("rules.3.when.stage.0") as problems by field of the form."""
    told: dict[str, str] = {}
    for path, said in problems.items():
        parts = [one for one in path.split(".") if one not in {"rules", "when", "then", "otherwise"}]
        names = [FIELD_OF.get(one, one) for one in parts if not one.isdecimal()]
        told.setdefault(names[0] if names else path, said)
    return told


def meant(form: RuleForm, rule: Rule | None, policy: Policy) -> dict[str, Any]:
    """What the rule as typed means, and what is odd about it; without a sentence while it makes no sense."""
    if not (form.is_valid() if form.is_bound else rule):
        return {"meaning": "", "remarks": []}
    rule_id = rule.id if rule else new_id(form.cleaned_data["name"], [one.id for one in policy.rules])
    stated = form.rule(rule_id) if form.is_bound else rule
    assert stated is not None
    changed = with_rule(policy, stated)
    at = next(n for n, one in enumerate(changed.rules) if one.id == stated.id)
    return {"meaning": rule_in_words(stated, form.names), "remarks": of_rule(changed, at)}


def of_rule(policy: Policy, at: int) -> list[Remark]:
    """What there is to say of the rule at this place."""
    found = remarks(policy, read_known(policy))
    return [one for one in found if one.where == f"rules.{at}" or one.where.startswith(f"rules.{at}.")]


def _page(
    request: HttpRequest, draft: PolicyVersion, rule: Rule | None, form: RuleForm, status: int = 200
) -> HttpResponse:
    context = {
        "draft": draft,
        "seen": seen_version(request) or draft.edit_version,
        "rule": rule,
        "form": form,
        "offers": form.offers().items(),
        **meant(form, rule, form.policy),
    }
    return render(request, "routing/rule.html", rights(request) | context, status=status)


@require_POST
@may_change
def check(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A fragment: the message line of `field`, and beside it what the rule means as it stands in the form."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    rule = next((one for one in policy.rules if one.id == request.POST.get("rule")), None)
    form = _made(draft, policy, known_names(policy), rule, request.POST)
    return _checked(request, form, meant(form, rule, policy) | {"offers": form.offers().items()})


def _checked(request: HttpRequest, form: Any, context: dict[str, Any]) -> HttpResponse:
    name = request.GET.get("field", "")
    field = form[name] if name in form.fields else None
    return render(request, "routing/checked.html", context | {"form": form, "field": field})


@require_POST
@may_change
def move(request: HttpRequest, pk: int, rule: str) -> HttpResponseBase:
    """One place "up" or "down" (`to`), or to a place from 1; the first rule that fits a call decides."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    at, moved = _rule(policy, rule)
    to = request.POST.get("to", "")
    target = {"up": at - 1, "down": at + 1}.get(to, int(to[:6]) - 1 if to.isascii() and to.isdecimal() else at)
    target = max(0, min(target, len(policy.rules) - 1))
    rules = [one for one in policy.rules if one.id != rule]
    rules.insert(target, moved)
    changed = msgspec.structs.replace(policy, rules=rules)
    return save_and_go(request, draft, changed, f"“{moved.name}” is rule {target + 1} now.", "rules")


@require_POST
@may_change
def duplicate(request: HttpRequest, pk: int, rule: str) -> HttpResponseBase:
    """The same once more, behind it."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    at, found = _rule(policy, rule)
    name = f"{found.name[: rule_form.LONGEST_NAME - 7]} (copy)"
    copy = msgspec.structs.replace(found, id=new_id(name, [one.id for one in policy.rules]), name=name)
    rules = [*policy.rules[: at + 1], copy, *policy.rules[at + 1 :]]
    changed = msgspec.structs.replace(policy, rules=rules)
    return save_and_go(request, draft, changed, f"“{found.name}” stands there twice now. Change the copy.", "rules")


@require_POST
@may_change
def remove(request: HttpRequest, pk: int, rule: str) -> HttpResponseBase:
    """Take the rule out; the toast offers to put it back."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    _, found = _rule(policy, rule)
    changed = msgspec.structs.replace(policy, rules=[one for one in policy.rules if one.id != rule])
    return save_and_go(request, draft, changed, f"“{found.name}” is taken out of the draft.", "rules")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@may_change
def default(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/routing/drafts/<id>/default/`: what no rule says."""
    draft = draft_of(pk)
    policy = policy_of(draft)
    if request.method != "POST":
        return _default_page(request, draft, _made_default(draft, policy, initial=default_form.first_values(policy)))
    form = _made_default(draft, policy, request.POST)
    if not form.is_valid():
        return _default_page(request, draft, form, 422)
    try:
        save(request, draft, msgspec.structs.replace(policy, **form.changed()), "The default is saved in the draft.")
    except InvalidPolicy as error:
        form.refuse(by_field(error.problems))
        return _default_page(request, draft, form, 422)
    except (RefusedEdit, StaleEdit) as error:
        form.add_error(None, str(error))
        return _default_page(request, draft, form, 409)
    return go(request, f"{reverse('policy-draft', args=[draft.pk])}#default")


def _made_default(draft: PolicyVersion, policy: Policy, *args: Any, **kwargs: Any) -> DefaultForm:
    check_url = reverse("policy-default-check", args=[draft.pk])
    return DefaultForm(*args, policy=policy, current=policy.otherwise, check_url=check_url, **kwargs)


def _default_page(request: HttpRequest, draft: PolicyVersion, form: DefaultForm, status: int = 200) -> HttpResponse:
    context = {"draft": draft, "seen": seen_version(request) or draft.edit_version, "form": form}
    return render(request, "routing/default.html", rights(request) | context | default_meant(form), status=status)


def default_meant(form: DefaultForm) -> dict[str, Any]:
    """The default as sentences; none while what is typed makes no sense."""
    if form.is_bound and not form.is_valid():
        return {"meanings": [], "remarks": []}
    policy = msgspec.structs.replace(form.policy, **form.changed()) if form.is_bound else form.policy
    return {
        "meanings": [
            otherwise_in_words(policy.otherwise, Names({tier.number: tier.name for tier in policy.tiers})),
            UNLISTED_WORDS[policy.unlisted_models],
            *(daily_in_words(environment, tokens) for environment, tokens in sorted(policy.daily_tokens.items())),
        ],
        "remarks": [one for one in remarks(policy, read_known(policy)) if one.where.startswith("otherwise")],
    }


@require_POST
@may_change
def default_check(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A fragment: the message line of `field`, and what the default means as it stands in the form."""
    draft = draft_of(pk)
    form = _made_default(draft, policy_of(draft), request.POST)
    return _checked(request, form, default_meant(form))
