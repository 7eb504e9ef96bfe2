"""The floor in Django's admin: what is configured is edited here, what happened is only shown."""

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from budgets.access.revoke import revoke_key
from budgets.access.roles import reach
from budgets.audit.record import Actor, record
from budgets.models import ApiKey, AuditEntry, Crossing, Organisation, Source, Team, Workflow
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration
from budgets.organisation.edit import FIELDS, change_organisation, problems_of
from budgets.workflows.guardrails import problems_with, tidied
from budgets.workflows.pause import pause_workflow, resume_workflow

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    WorkflowModelForm = forms.ModelForm[Workflow]
    OrganisationModelForm = forms.ModelForm[Organisation]
else:  # these take no type arguments when running
    AnyAdmin, WorkflowModelForm, OrganisationModelForm = admin.ModelAdmin, forms.ModelForm, forms.ModelForm


def is_administrator(request: HttpRequest) -> bool:
    """Whether the admin opens: for administrators. It knows nothing of teams, so for nobody else."""
    return reach(request.user, "admin.site").everything


# One way in, with its second factor and its brake on guessing: the admin's own form is never shown.
admin.site.has_permission = is_administrator  # type: ignore[method-assign]
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
for model in (EmailAddress, SocialAccount, SocialApp, SocialToken, Authenticator, UserSession):
    if admin.site.is_registered(model):  # people and how they sign in have pages of their own, with history
        admin.site.unregister(model)


def values_of(obj: models.Model) -> dict[str, Any]:
    """A row for the history: its columns, JSON-ready."""
    values = {field.attname: getattr(obj, field.attname) for field in obj._meta.concrete_fields if field.editable}
    return {
        name: value if isinstance(value, str | int | bool | dict | list | None) else str(value)
        for name, value in values.items()
    }


class ConfigurationAdmin(AnyAdmin):
    """Every save is a change of configuration, with its row of history. Nothing is ever deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        with changing_configuration():
            was = type(obj)._default_manager.select_for_update(no_key=True).get(pk=obj.pk) if change else None
            before = values_of(was) if was else None
            self.write(obj, form, change)
            after = values_of(obj)
            if before != after:
                record(Actor.of_request(request), "changed" if change else "created", obj, before, after)
            transaction.on_commit(hint_settle)

    def write(self, obj: models.Model, form: Any, change: bool) -> None:
        """Only what the form showed: what others changed meanwhile elsewhere in the row stays."""
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=sorted(columns.intersection(form.changed_data)) if change else None)
        obj.refresh_from_db()


class ShownAdmin(AnyAdmin):
    """Only shown."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class OrganisationForm(OrganisationModelForm):
    """Checks what the settings page checks."""

    class Meta:
        model = Organisation
        fields = ("name", "time_zone", "currency", "fiscal_year_starts")

    def clean(self) -> dict[str, Any] | None:
        found = super().clean()
        changes = {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}
        for name, sentence in problems_of(changes, Organisation.get()).items():
            self.add_error(name, sentence)
        return found


@admin.register(Organisation)
class OrganisationAdmin(ConfigurationAdmin):
    """The one row. Days are closed on the settings page, which shows first what that closes."""

    form = OrganisationForm
    fields = ("name", "time_zone", "currency", "fiscal_year_starts", "closed_before")
    readonly_fields = ("closed_before",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in FIELDS}
        change_organisation(Actor.of_request(request), changes)


@admin.register(Team)
class TeamAdmin(ConfigurationAdmin):
    list_display = ("name", "slug", "cost_centre", "ledger_code")
    search_fields = ("name", "slug", "cost_centre")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # events and budgets name it


class WorkflowForm(WorkflowModelForm):
    """The free-form columns hold their own kind of JSON only: every gateway reads them."""

    class Meta:
        model = Workflow
        exclude = ()

    def clean_status(self) -> str:
        """Merging and going to production do more than set a status, and check first: their pages do it."""
        found, now = str(self.cleaned_data["status"]), self.instance.status if self.instance.pk else ""
        special = {Workflow.Status.RESERVED, Workflow.Status.MERGED, Workflow.Status.PRODUCTION}
        if found != now and (found in special or now in {Workflow.Status.RESERVED, Workflow.Status.MERGED}):
            raise forms.ValidationError("Change this on the workflow’s own page: more belongs to it than the status.")
        return found

    def clean_risk_categories(self) -> list[str]:
        found = self.cleaned_data["risk_categories"] or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise forms.ValidationError('Write a list of texts, for example ["legal", "health"].')
        return found

    def clean_guardrails(self) -> dict[str, Any]:
        found = self.cleaned_data["guardrails"] or {}
        if not isinstance(found, dict):
            raise forms.ValidationError('Write an object, for example {"max_output_tokens": 2000}.')
        problems = problems_with(found, tuple(self.cleaned_data.get("risk_categories") or ()))
        if problems:
            raise forms.ValidationError([f"{name}: {said}" for name, said in problems.items()])
        return tidied(found)


@admin.register(Workflow)
class WorkflowAdmin(ConfigurationAdmin):
    """To claim a discovered one, give it an owner and a team and make it a draft."""

    form = WorkflowForm
    list_display = ("name", "slug", "status", "team", "owner", "default_tier", "is_paused")
    list_filter = ("status", "team", ("paused_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug")
    list_select_related = ("team", "owner")
    autocomplete_fields = ("team", "owner")
    actions = ("pause", "resume")
    fields = (
        "slug", "name", "status", "team", "owner", "default_tier", "value_weight", "risk_categories", "guardrails",
        "paused_at", "pause_reason", "created_at",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("paused_at", "pause_reason", "created_at")
        return ("slug", *shown) if obj else shown

    @admin.display(boolean=True, description="paused")
    def is_paused(self, workflow: Workflow) -> bool:
        return workflow.paused_at is not None

    @admin.action(description="Pause: block every call at once", permissions=["change"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Workflow]) -> None:
        for workflow in chosen.exclude(status=Workflow.Status.MERGED):
            pause_workflow(Actor.of_request(request), workflow, "Paused in the admin")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Workflow]) -> None:
        for workflow in chosen:
            resume_workflow(Actor.of_request(request), workflow, "Resumed in the admin")


@admin.register(Source)
class SourceAdmin(ConfigurationAdmin):
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()  # half of every event's identity


@admin.register(ApiKey)
class ApiKeyAdmin(ShownAdmin):
    """Keys are made and changed on the pages of Settings, where their text is shown once, or by a command.

    Here they are listed and revoked.
    """

    list_display = ("name", "prefix", "source", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "source")
    list_select_related = ("source",)
    search_fields = ("name", "prefix")
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        if not request.user.has_perm("budgets.change_apikey"):
            self.message_user(request, "You may look at keys, not revoke them.", messages.ERROR)
            return
        revoked = sum(revoke_key(Actor.of_request(request), key) for key in chosen)
        self.message_user(request, f"Revoked: {revoked}.")


@admin.register(Crossing)
class CrossingAdmin(ShownAdmin):
    list_display = ("raised_at", "budget", "kind", "threshold", "period_start", "spent", "limit", "limit_version")
    list_filter = ("kind", "threshold")
    list_select_related = ("budget",)
    date_hierarchy = "raised_at"


@admin.register(AuditEntry)
class AuditEntryAdmin(ShownAdmin):
    list_display = ("at", "who_text", "origin", "act", "object_type", "object_name", "reason")
    list_filter = ("origin", "act", "object_type")
    search_fields = ("who_text", "object_name", "reason")
    date_hierarchy = "at"
