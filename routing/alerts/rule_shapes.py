"""What alert rules look like over HTTP."""

from typing import Any

from rest_framework import serializers

from budgets.alerts import rules as edit
from budgets.alerts.trigger import Field
from budgets.models import AlertRule
from routing.alerts.triggers import TRIGGERS
from routing.alerts.words import rule_sentence
from routing.approvals.api import dollars


class AlertRuleSerializer(serializers.ModelSerializer[AlertRule]):
    """A rule. `sentence` says it in words; `options` are its trigger's, money in US dollars as text."""

    sentence = serializers.SerializerMethodField()
    team = serializers.CharField(source="team.slug", allow_null=True, default=None, help_text="Null: all teams.")
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    channels: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = AlertRule
        fields = [
            "id", "name", "sentence", "trigger", "options", "team", "urgent", "channels", "owner", "muted_at",
            "muted_until", "mute_reason", "archived_at", "since", "looked_at", "problem", "created_at", "edit_version",
        ]  # fmt: skip
        read_only_fields = fields

    def get_sentence(self, row: AlertRule) -> str:
        return rule_sentence(row)


class AlertRuleChangeSerializer(serializers.Serializer[Any]):
    """What is stated about a rule. Options that are not sent stay, or have their defaults in a new rule."""

    name = serializers.CharField(
        max_length=edit.LONGEST_NAME, required=False, allow_blank=True, default="", help_text="Empty: its sentence."
    )
    options: Any = serializers.DictField(required=False, default=dict, help_text="As `GET /alert-triggers` lists them.")
    team = serializers.CharField(max_length=128, required=False, allow_null=True, default=None, help_text="Short name.")
    urgent = serializers.BooleanField(default=True, help_text="False: once a day, in the channel's digest.")
    channels = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, default=list, max_length=100
    )
    owner = serializers.CharField(max_length=150, required=False, allow_null=True, default=None, help_text="User name.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


class AlertRuleValuesSerializer(AlertRuleChangeSerializer):
    """A new rule."""

    trigger = serializers.ChoiceField(list(TRIGGERS))


class AlertRulePatchSerializer(AlertRuleChangeSerializer):
    """Only what is sent changes. What a rule tells of stays."""

    edit_version = serializers.IntegerField(required=False, min_value=0, help_text="409 where it is not the present.")


class AlertMuteSerializer(serializers.Serializer[Any]):
    """Until when (null: until somebody unmutes it), and why."""

    until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class AlertReasonSerializer(serializers.Serializer[Any]):
    """Nothing but a reason for the history."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class AlertPreviewLineSerializer(serializers.Serializer[Any]):
    """One alert that there would have been; `amount` in US dollars."""

    happened_at = serializers.DateTimeField()
    title = serializers.CharField()
    amount = serializers.SerializerMethodField()

    def get_amount(self, line: Any) -> str | None:
        return dollars(line.amount)


class AlertPreviewSerializer(serializers.Serializer[Any]):
    """`count` alerts, of which the newest 50 are listed; `said` sums up, or says why it is not known."""

    sentence = serializers.CharField()
    said = serializers.CharField()
    note = serializers.CharField(help_text="How far the history reaches, where that is less.")
    count = serializers.IntegerField()
    alerts = AlertPreviewLineSerializer(source="lines", many=True)
    weeks = serializers.SerializerMethodField(help_text="Monday of the week → how many.")

    def get_weeks(self, preview: Any) -> dict[str, int]:
        return {monday.isoformat(): count for monday, count in preview.weeks}


class AlertTestedSerializer(serializers.Serializer[Any]):
    """The names of the channels that a test is on its way to."""

    channels = serializers.ListField(child=serializers.CharField())


class AlertOptionSerializer(serializers.Serializer[Any]):
    """One option. `kind`: money, whole, factor, choice, text, budget or workflow (both by short name)."""

    name = serializers.CharField()
    label: Any = serializers.CharField()
    kind = serializers.CharField()
    required: Any = serializers.BooleanField()
    default: Any = serializers.JSONField()
    choices = serializers.SerializerMethodField()
    least = serializers.IntegerField()
    most = serializers.IntegerField()
    unit = serializers.CharField()

    def get_choices(self, field: Field) -> list[str]:
        return [key for key, _ in field.choices]


class AlertTriggerSerializer(serializers.Serializer[Any]):
    """Something that a rule can tell of."""

    key = serializers.CharField()
    words = serializers.CharField()
    options = AlertOptionSerializer(source="fields", many=True)
