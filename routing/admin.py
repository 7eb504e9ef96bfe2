"""Tiers in Django's admin. Every change goes through `routing.tiers.edit`, which audits and publishes it."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect

from budgets.audit.record import Actor
from routing.models import Tier
from routing.tiers.edit import InUse, listed_elsewhere, read_models, remove_tier, save_tier, write_model

if TYPE_CHECKING:
    TierModelForm = forms.ModelForm[Tier]
    TierModelAdmin = admin.ModelAdmin[Tier]
else:
    TierModelForm, TierModelAdmin = forms.ModelForm, admin.ModelAdmin  # take no type arguments when running


class TierForm(TierModelForm):
    """Models as text, one a line."""

    models = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8, "cols": 60}),
        help_text="One a line, provider/model, the preferred one first. A model belongs to one tier.",
    )

    class Meta:
        model = Tier
        fields = ["number", "name", "needs_approval"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["models"] = "\n".join(write_model(entry) for entry in self.instance.models)

    def clean_models(self) -> list[dict[str, str]]:
        try:
            models = read_models(self.cleaned_data["models"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        for name, tier in listed_elsewhere(models, self.instance).items():
            raise forms.ValidationError(f"{name} is in tier {tier} already.")
        return models

    def save(self, commit: bool = True) -> Tier:
        self.instance.models = self.cleaned_data["models"]
        tier: Tier = super().save(commit)
        return tier


@admin.register(Tier)
class TierAdmin(TierModelAdmin):
    form = TierForm
    list_display = ["number", "name", "needs_approval", "listed"]
    list_display_links = ["number", "name"]
    fields = ["number", "name", "needs_approval", "models"]
    actions = None  # removing many at once would go past remove_tier

    @admin.display(description="Models")
    def listed(self, tier: Tier) -> str:
        return ", ".join(write_model(entry) for entry in tier.models)

    def save_model(self, request: HttpRequest, obj: Tier, form: Any, change: bool) -> None:
        save_tier(Actor.of_request(request), obj)

    def delete_model(self, request: HttpRequest, obj: Tier) -> None:
        remove_tier(Actor.of_request(request), obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except InUse as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect("admin:routing_tier_changelist")

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Tier]") -> None:
        for tier in queryset:
            remove_tier(Actor.of_request(request), tier)
