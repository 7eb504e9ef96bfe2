"""Calls behind a figure, and one call with every field that its event had."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from budgets.access.reachable import reachable
from budgets.models import Organisation, Source, Workflow
from budgets.pages.csv import csv_response, currency_code, exact
from budgets.pages.door import in_reach
from reports.asking.scope import scope_of
from reports.asking.window import Window
from reports.spend.addresses import run_address
from reports.spend.below import below, second
from reports.spend.drawing import used_of
from reports.spend.entries import Entry, behind, instant, read_call, total_of
from reports.spend.naming import names_of
from reports.spend.sums import Answer, spend
from reports.spend.which import Which, chips, headings, menu, order_words, which_of
from usage.prices.showing import cost_words

SHOWN = 200
IN_FILE = 20_000
MONEY = ("cost", "cost_input", "cost_cached", "cost_cache_write", "cost_output", "cost_units", "saved", "reported_cost")
TEXTS = (
    "event_id", "kind_words", "workflow", "named", "run_id", "step", "attempt", "stage", "task_type", "domain",
    "environment", "operation", "agent", "step_kind", "prompt_version", "response_format", "provider", "model",
    "requested_model", "tier", "default_tier", "service_tier", "status", "finish_reason", "cache", "input_tokens",
    "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "tool_tokens",
    "avoided_input_tokens", "avoided_output_tokens", "latency_ms", "retrieved_chunks", "tools_exposed", "tools_used",
    "team", "user_name", "user_tier", "customer", "application", "campaign", "channel", "session",
)  # fmt: skip
COLUMNS = ("time", "counts_at", *TEXTS, *MONEY, "currency", "context", "units", "tags")
# What a call's page says, in groups: heading, then (words, column).
GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("What it was for", (
        ("Workflow", "workflow_name"), ("Run", "run_id"), ("Step", "step"), ("Attempt", "attempt"), ("Stage", "stage"),
        ("Kind of task", "task_type"), ("Domain", "domain"), ("Environment", "environment"), ("Agent", "agent"),
        ("Kind of step", "step_kind"), ("Operation", "operation"), ("Prompt version", "prompt_version"),
    )),
    ("Who and where", (
        ("Team", "team"), ("User", "user_name"), ("User tier", "user_tier"), ("Customer", "customer"),
        ("Application", "application"), ("Campaign", "campaign"), ("Channel", "channel"), ("Session", "session"),
    )),
    ("How it was served", (
        ("Provider", "provider"), ("Model", "model"), ("Model asked for", "requested_model"), ("Tier", "tier"),
        ("Usual tier", "default_tier"), ("Service tier", "service_tier"), ("Result", "status"),
        ("Why it ended", "finish_reason"), ("Format of the answer", "response_format"), ("Cache", "cache"),
        ("Milliseconds", "latency_ms"), ("Policy revision", "bundle_revision"), ("Allowance", "grant_id"),
        ("Reservation", "lease_id"),
    )),
    ("Tokens", (
        ("Input, all of it", "input_tokens"), ("of it from cache", "cached_input_tokens"),
        ("of it written to cache", "cache_write_tokens"), ("of it tools", "tool_tokens"),
        ("Output, all of it", "output_tokens"), ("of it reasoning", "reasoning_tokens"),
        ("Input spared by a cache", "avoided_input_tokens"), ("Output spared by a cache", "avoided_output_tokens"),
        ("Pieces retrieved", "retrieved_chunks"), ("Tools offered", "tools_exposed"), ("Tools used", "tools_used"),
    )),
)  # fmt: skip
COSTS = (
    ("Input", "cost_input"), ("Input from cache", "cost_cached"), ("Written to cache", "cost_cache_write"),
    ("Output", "cost_output"), ("Other units", "cost_units"),
)  # fmt: skip


def line_of(one: Entry) -> list[Any]:
    """A row of the ledger as files have it; money exact, empty where it is not known."""
    found: list[Any] = [one.time.isoformat(), one.posted_at.isoformat()]
    found += ["" if (value := getattr(one, name)) is None else value for name in TEXTS]
    found += ["" if (value := getattr(one, name)) is None else exact(value) for name in MONEY]
    found += [currency_code(), *(pairs(getattr(one, name)) for name in ("context", "units", "tags"))]
    return found


def pairs(stated: dict[str, Any] | None) -> str:
    """ "history=120; system=40"."""
    return "; ".join(f"{key}={value}" for key, value in sorted((stated or {}).items()))


@require_safe
@never_cache
@in_reach
def call_list(request: HttpRequest) -> HttpResponseBase:
    """`/spend/calls/`: the first behind a figure, in the order asked for, as many as one page has."""
    organisation = Organisation.get()
    which = which_of(request, organisation)
    asked = which.asked
    found, read = behind(asked.scope, asked.window, SHOWN, which.narrowed, which.sort)
    whole = total_behind(which, read)
    frame = below(organisation, asked, "spend-calls")
    return render(
        request,
        "spend/calls.html",
        frame
        | {
            "rows": [(one, second(organisation, one.posted_at)) for one in found],
            "total": whole.total,
            "money": cost_words(whole.total),
            "is_all": len(found) < SHOWN and read == asked.window and not whole.cut,
            "is_part_of_days": len(found) < SHOWN and read != asked.window,
            "read": read,
            "sum_is_of": whole.window if whole.cut else None,
            "shown": SHOWN,
            "in_file": IN_FILE,
            "order": order_words(which),
            "headings": headings(which),
            "chips": [*frame["chips"], *chips(which, organisation)],
            "menus": frame["menus"] | {"which": menu(which)},
            "above": replace(asked, kept=()).where(),
        },
    )


def total_behind(which: Which, read: Window) -> Answer:
    """The sum of all rows that are asked for: from rollups where these know them, else of the days that were read."""
    asked = which.asked
    if which.narrowed.is_everything:
        return spend(asked.scope, asked.window)
    return Answer((), total_of(asked.scope, read, which.narrowed), "ledger", read != asked.window, read)


@require_safe
@never_cache
@in_reach
def calls_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/spend/calls.csv`: the first calls of the same filters and order, with every field."""
    which = which_of(request, Organisation.get())
    window = which.asked.window
    found, _ = behind(which.asked.scope, window, IN_FILE, which.narrowed, which.sort)

    def lines() -> Iterator[list[Any]]:
        for one in found:
            yield line_of(one)

    return csv_response(f"calls-{window.first}-{window.last}", COLUMNS, lines())


@require_safe
@never_cache
@in_reach
def calls_series(request: HttpRequest) -> HttpResponseBase:
    """`/series/spend/calls.json`: what the page lists, and the sum of all that is asked for."""
    which = which_of(request, Organisation.get())
    found, read = behind(which.asked.scope, which.asked.window, SHOWN, which.narrowed, which.sort)
    whole = total_behind(which, read)
    return JsonResponse(
        {
            "from": whole.window.first.isoformat(),
            "to": whole.window.last.isoformat(),
            "all": used_of(whole.total),
            "rows": [dict(zip(COLUMNS, line_of(one), strict=True)) for one in found],
            "notes": list(which.asked.notes),
        }
    )


@require_safe
@never_cache
@in_reach
def call(request: HttpRequest, moment: int, pk: int) -> HttpResponseBase:
    """`/spend/calls/<when it counts>/<id>/`: everything that is known of one call. Prompts and answers are not kept."""
    at = instant(moment)
    found = read_call(at, pk) if at is not None and pk < 2**63 else None
    if found is None:
        raise Http404
    one, corrections = found
    mine = reachable(Workflow, request.user)
    if not mine.filter(Q(slug=one.named) | Q(slug=one.workflow)).exists():
        raise Http404
    organisation = Organisation.get()
    asker, _ = scope_of({}, request.user)
    names = names_of(asker, {"team": [one.team], "tier": [str(one.tier), str(one.default_tier)]})
    source = Source.objects.filter(pk=one.source_id).values_list("name", flat=True).first()
    return render(
        request,
        "spend/call.html",
        {
            "here": "spend",
            "organisation": organisation,
            "one": one,
            "at": moment_words(organisation, one.time),
            "counts_at": moment_words(organisation, one.posted_at) if one.posted_at != one.time else "",
            "run_address": run_address(one.workflow, one.run_id) if one.run_id else "",
            "source": source or one.source_id,
            "groups": groups_of(one, names.of),
            "costs": [(words, getattr(one, name)) for words, name in COSTS if getattr(one, name)],
            "corrections": [(row, moment_words(organisation, row.posted_at)) for row in corrections],
            "now": (one.cost or 0) + sum(row.cost or 0 for row in corrections),
            "is_known": one.cost is not None or any(row.cost is not None for row in corrections),
            "lists": [(words, sorted((getattr(one, key) or {}).items())) for words, key in (
                ("Input by layer", "context"), ("Other units", "units"), ("Tags", "tags"))],
        },
    )  # fmt: skip


def moment_words(organisation: Organisation, when: datetime) -> str:
    """ "Wed 18 Nov 2026, 14:05:09" by the organisation's clock."""
    return f"{organisation.local(when):%a %-d %b %Y, %H:%M:%S}"


def groups_of(one: Entry, named: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
    """What is stated, group by group; what is not is left out."""
    found = []
    for heading, fields in GROUPS:
        rows: list[tuple[str, Any]] = []
        for words, name in fields:
            value = getattr(one, name)
            if value in (None, "") or (name in {"tier", "default_tier"} and not value):
                continue
            if name in {"tier", "default_tier"}:
                value = named("tier", str(value))
            elif name == "team":
                value = named("team", value)
            rows.append((words, f"{value:,}" if isinstance(value, int) else value))
        found.append((heading, rows))
    return [(heading, rows) for heading, rows in found if rows]
