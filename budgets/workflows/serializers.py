"""How workflows and teams look in the API: slugs, user names, shares and amounts as text."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from budgets.models import Team, Workflow
from budgets.workflows.lifecycle import boundaries
from budgets.workflows.teams import TeamValues
from budgets.workflows.values import WorkflowValues


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    """A repeatable job that spends tokens. `slug` is what events name."""

    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    merged_into = serializers.CharField(source="merged_into.slug", allow_null=True, default=None)
    stages = serializers.ListField(child=serializers.CharField())
    risk_categories = serializers.ListField(child=serializers.CharField())
    guardrails = serializers.DictField(help_text="Limits, as docs/limits.md describes them.")
    is_paused = serializers.SerializerMethodField()

    class Meta:
        model = Workflow
        fields = [
            "slug", "name", "description", "status", "merged_into", "team", "owner", "cost_centre", "ledger_code",
            "stages", "risk_categories", "default_tier", "value_weight", "guardrails", "is_paused", "paused_at",
            "pause_reason", "edit_version", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_is_paused(self, workflow: Workflow) -> bool:
        return workflow.paused_at is not None


class BoundarySerializer(serializers.Serializer[Any]):
    """One thing that production needs."""

    code = serializers.CharField(help_text="Stable.")
    words = serializers.CharField()
    met = serializers.BooleanField()
    missing = serializers.CharField(help_text="What to do where it is not met.")


class WorkflowDetailSerializer(WorkflowSerializer):
    """One workflow with its other names and what production needs."""

    aliases = serializers.SerializerMethodField(help_text="Slugs that were merged into it.")
    boundaries = serializers.SerializerMethodField()

    class Meta(WorkflowSerializer.Meta):
        fields = [*WorkflowSerializer.Meta.fields, "aliases", "boundaries"]
        read_only_fields = fields

    def get_aliases(self, workflow: Workflow) -> list[str]:
        return list(workflow.aliases.order_by("slug").values_list("slug", flat=True))

    @extend_schema_field(BoundarySerializer(many=True))
    def get_boundaries(self, workflow: Workflow) -> Any:
        return BoundarySerializer(boundaries(workflow), many=True).data


class WorkflowValuesSerializer(serializers.Serializer[Any]):
    """What is stated about a workflow. What a field may be is said by `budgets.workflows.values`, for pages too."""

    name = serializers.CharField(max_length=200)
    slug = serializers.CharField(required=False, max_length=128, help_text="What events name; never changes.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    team = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=128, help_text="A slug.")
    owner = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=150, help_text="A user name."
    )
    cost_centre = serializers.CharField(required=False, allow_blank=True, max_length=200)
    ledger_code = serializers.CharField(required=False, allow_blank=True, max_length=200)
    stages = serializers.ListField(child=serializers.CharField(), required=False, max_length=50)
    risk_categories = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=50,
        help_text="reversible or irreversible, public, sensitive, and words of your own.",
    )
    value_weight = serializers.DecimalField(max_digits=6, decimal_places=3, required=False, help_text="0.5 to 5.")
    default_tier = serializers.IntegerField(required=False, allow_null=True)
    guardrails = serializers.DictField(required=False, help_text="Limits, as docs/limits.md describes them.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


class WorkflowChangeSerializer(WorkflowValuesSerializer):
    """Only what is sent changes. `edit_version`, as it was read, refuses to overwrite what somebody else saved."""

    slug = None  # type: ignore[assignment]  # DRF's way to leave a field of the parent out
    edit_version = serializers.IntegerField(required=False, min_value=1)


class WorkflowReasonSerializer(serializers.Serializer[Any]):
    """Why, for the history (of a pause: callers whose calls are blocked are told); and what was seen."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    edit_version = serializers.IntegerField(required=False, min_value=1)


class MergeSerializer(WorkflowReasonSerializer):
    """Into which workflow."""

    into = serializers.CharField(max_length=128, help_text="The slug that it counts under from now on.")


class TeamSerializer(serializers.Serializer[Any]):
    """A business unit or cost centre. `slug` is what events and budgets name; empty: made from the name."""

    slug = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    name = serializers.CharField(max_length=128)
    cost_centre = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    ledger_code = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class TeamChangeSerializer(serializers.Serializer[Any]):
    """Only what is sent changes; the slug never does."""

    name = serializers.CharField(max_length=128, required=False)
    cost_centre = serializers.CharField(max_length=64, required=False, allow_blank=True)
    ledger_code = serializers.CharField(max_length=64, required=False, allow_blank=True)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


def stated(sent: dict[str, Any], before: WorkflowValues | None = None) -> WorkflowValues:
    """Validated data as values, over those `before` where only a part was sent."""
    values = {name: sent[name] for name in WorkflowValues.__slots__ if name in sent}
    for name in ("team", "owner"):
        if name in values:
            values[name] = values[name] or ""
    for name in ("stages", "risk_categories"):
        if name in values:
            values[name] = tuple(values[name])
    known = {name: getattr(before, name) for name in WorkflowValues.__slots__} if before else {}
    return WorkflowValues(**(known | values))


def stated_team(sent: dict[str, Any], before: Team) -> TeamValues:
    """A part of a team's values over those it has."""
    return TeamValues(
        sent.get("name", before.name),
        before.slug,
        sent.get("cost_centre", before.cost_centre),
        sent.get("ledger_code", before.ledger_code),
    )
