"""Prices in Django's admin: the seeded book to look at, overrides to edit, refreshes and re-price runs to decide on."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.pages.amounts import in_dollars
from usage.models import PriceEntry, PriceRefresh, RepriceRun
from usage.prices import overrides, refresh, reprice
from usage.prices.begin import begin_preview, begin_reprice
from usage.prices.entry import mistakes

if TYPE_CHECKING:
    EntryModelForm = forms.ModelForm[PriceEntry]
    RunModelForm = forms.ModelForm[RepriceRun]
    EntryModelAdmin = admin.ModelAdmin[PriceEntry]
    RunModelAdmin = admin.ModelAdmin[RepriceRun]
    RefreshModelAdmin = admin.ModelAdmin[PriceRefresh]
else:
    EntryModelForm = RunModelForm = forms.ModelForm  # take no type arguments when running
    EntryModelAdmin = RunModelAdmin = RefreshModelAdmin = admin.ModelAdmin

COLUMNS = (
    "provider", "model", "service_tier", "valid_from", "valid_to",
    "input", "cached_input", "cache_write", "output", "units", "steps", "hours", "origin_note",
)  # fmt: skip


NOTHING: dict[str, Any] = {"units": dict, "steps": list, "hours": list}


class OverrideForm(EntryModelForm):
    """A price of one's own. Dollars per million tokens; an empty field is no price, 0 is free."""

    reason = forms.CharField(required=False, max_length=500, help_text="Kept in the audit trail.")
    service_tier = forms.ChoiceField(choices=[(name, name) for name in ("standard", "batch", "flex", "priority")])

    class Meta:
        model = PriceEntry
        fields = list(COLUMNS)
        help_texts = {
            "cached_input": "Empty: as input.",
            "cache_write": "Empty: as input.",
            "units": 'Dollars each, as text: {"web_search": "0.01"}',
            "steps": 'Long context: [{"from_input_tokens": 200001, "input": "6", "output": "22.5"}]',
            "hours": 'Other prices at some hours, UTC: [{"from": "01:00", "to": "04:00", "input": "0.3"}]',
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: values.get(name) for name in COLUMNS}
        found = mistakes(given)
        if not found and not self.errors and (sentence := overrides.overlapping(given, self.instance.pk)):
            found = {"valid_from": sentence}
        for name, sentence in found.items():
            if name not in self.errors:
                self.add_error(name, sentence)
        return values

    def _post_clean(self) -> None:
        """The model's own constraints are told by `overrides`, in the transaction that writes."""


@admin.register(PriceEntry)
class PriceEntryAdmin(EntryModelAdmin):
    """Seeded entries are read-only; changing an override writes a new one and keeps the old for its ledger rows."""

    form = OverrideForm
    actions = ("end_now",)
    list_display = ("provider", "model", "service_tier", "valid_from", "valid_to", "per_million", "origin", "in_force")
    list_filter = ("origin", "service_tier", ("superseded_at", admin.EmptyFieldListFilter), "provider")
    search_fields = ("provider", "model")
    show_full_result_count = False

    @admin.display(description="input / cached / output")
    def per_million(self, entry: PriceEntry) -> str:
        return " / ".join(shown(price) for price in (entry.input, entry.cached_input, entry.output))

    @admin.display(boolean=True, description="in force")
    def in_force(self, entry: PriceEntry) -> bool:
        return entry.superseded_at is None

    def has_change_permission(self, request: HttpRequest, obj: PriceEntry | None = None) -> bool:
        mine = obj is None or (obj.origin == PriceEntry.Origin.OVERRIDE and obj.superseded_at is None)
        return mine and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: PriceEntry | None = None) -> bool:
        return False  # ledger rows name them; `End now` takes one out of use

    def save_model(self, request: HttpRequest, obj: PriceEntry, form: Any, change: bool) -> None:
        """Written by `overrides`, which audits; what it refuses comes back as a sentence beside the fields."""

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        values = {name: form.cleaned_data[name] for name in COLUMNS}
        for name, nothing in NOTHING.items():
            if values[name] is None:
                values[name] = nothing()
        actor, reason = Actor.of_request(request), form.cleaned_data["reason"]
        if change:
            return overrides.replace_override(actor, form.instance.pk, values, reason)
        return overrides.create_override(actor, values, reason)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Problem as problem:  # someone else was faster than this form
            for sentence in problem.extra.get("errors", {}).values() or [problem.detail]:
                self.message_user(request, str(sentence), messages.ERROR)
            return redirect(request.path)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return "See the audit trail."

    @admin.action(description="End now (overrides)", permissions=["change"])
    def end_now(self, request: HttpRequest, chosen: QuerySet[PriceEntry]) -> None:
        decide(self, request, chosen, overrides.end_override, "Ended")

    def response_change(self, request: HttpRequest, obj: PriceEntry) -> Any:
        return self.response_post_save_change(request, obj)  # the entry that was edited is not the one that holds now


def shown(price: Decimal | None) -> str:
    return "–" if price is None else f"{price.normalize():f}"


class RepriceForm(RunModelForm):
    """What to price anew."""

    class Meta:
        model = RepriceRun
        fields = ["starts_at", "ends_at", "model", "only_unpriced"]
        help_texts = {"starts_at": "Of calls by their own time, UTC.", "ends_at": "Not included."}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        starts, ends = values.get("starts_at"), values.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "The end must come after the start.")
        return values


@admin.register(RepriceRun)
class RepriceRunAdmin(RunModelAdmin):
    """Adding one makes a preview; the actions decide."""

    form = RepriceForm
    list_display = ("__str__", "model", "only_unpriced", "status", "calls", "corrected", "difference", "created_at")
    list_filter = ("status",)
    actions = ("confirm", "discard")

    def get_fields(self, request: HttpRequest, obj: RepriceRun | None = None) -> Any:
        if obj is None:
            return ["starts_at", "ends_at", "model", "only_unpriced"]
        return [
            "status", "starts_at", "ends_at", "model", "only_unpriced", "expected", "seen", "calls", "corrected",
            "still_unpriced", "difference", "written", "per_workflow", "problem", "requested_by", "created_at",
            "finished_at",
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: RepriceRun | None = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: RepriceRun | None = None) -> bool:
        return False

    @admin.display(description="before → after")
    def difference(self, run: RepriceRun) -> str:
        return f"{in_dollars(run.before)} → {in_dollars(run.after)}"

    @admin.display(description="per workflow")
    def per_workflow(self, run: RepriceRun) -> SafeString:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (row["workflow"], row["calls"], row["unpriced"], in_dollars(row["before"]), in_dollars(row["after"]))
                for row in run.preview
            ),
        )
        head = "<tr><th>workflow</th><th>calls</th><th>unpriced</th><th>before</th><th>after</th></tr>"
        return format_html("<table>" + head + "{}</table>", rows)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> RepriceRun:
        asked = form.cleaned_data
        return begin_preview(
            Actor.of_request(request),
            asked["starts_at"],
            asked["ends_at"],
            asked["model"],
            only_unpriced=asked["only_unpriced"],
        )

    def save_model(self, request: HttpRequest, obj: RepriceRun, form: Any, change: bool) -> None:
        """`preview` has written it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""

    @admin.action(description="Confirm: write the corrections", permissions=["change"])
    def confirm(self, request: HttpRequest, chosen: QuerySet[RepriceRun]) -> None:
        decide(self, request, chosen, lambda actor, pk: begin_reprice(pk, actor), "Confirmed")

    @admin.action(description="Discard", permissions=["change"])
    def discard(self, request: HttpRequest, chosen: QuerySet[RepriceRun]) -> None:
        decide(self, request, chosen, lambda actor, pk: reprice.discard(pk, actor), "Discarded")


@admin.register(PriceRefresh)
class PriceRefreshAdmin(RefreshModelAdmin):
    """Made by the daily check; the actions decide."""

    list_display = ("package", "status", "counts", "created_at", "decided_by")
    list_filter = ("status",)
    actions = ("apply", "discard")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PriceRefresh | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: PriceRefresh | None = None) -> Any:
        return [field.name for field in PriceRefresh._meta.fields]

    @admin.display(description="changes")
    def counts(self, one: PriceRefresh) -> str:
        return f"{len(one.added)} added, {len(one.changed)} changed, {len(one.ended)} dated otherwise"

    @admin.action(description="Apply to the book", permissions=["change"])
    def apply(self, request: HttpRequest, chosen: QuerySet[PriceRefresh]) -> None:
        decide(self, request, chosen, lambda actor, pk: refresh.apply(pk, actor), "Applied")

    @admin.action(description="Discard", permissions=["change"])
    def discard(self, request: HttpRequest, chosen: QuerySet[PriceRefresh]) -> None:
        decide(self, request, chosen, lambda actor, pk: refresh.discard(pk, actor), "Discarded")


def decide(page: Any, request: HttpRequest, chosen: QuerySet[Any], act: Any, done: str) -> None:
    """Do `act(actor, id)` for each, and say in a sentence what could not be done."""
    actor = Actor.of_request(request)
    for one in chosen:
        try:
            act(actor, one.pk)
        except Problem as problem:
            page.message_user(request, f"{one}: {problem.detail or problem.title}", messages.ERROR)
        else:
            page.message_user(request, f"{done}: {one}.", messages.SUCCESS)
