"""How policies look in the API. The document's shape is stated here for readers; `routing.policy.shape` checks it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from routing.models import PolicyVersion
from routing.policy.document import LISTS, UNLISTED
from routing.policy.shape import CACHE_KINDS

SHARE = "Decimal text from 0 to 1."


class Absent(serializers.Serializer[Any]):
    """Fields that may be left out; what is left out is as it would be without it."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class ModelSerializer(serializers.Serializer[Any]):
    """A model of a tier. Latency (median) and quality as typed in; left out: as measured."""

    provider = serializers.CharField(max_length=64)
    model = serializers.CharField(max_length=128)
    latency_ms = serializers.IntegerField(required=False, min_value=1)
    quality = serializers.CharField(required=False, help_text=SHARE)


class PolicyTierSerializer(serializers.Serializer[Any]):
    """Models in order of preference, each the fallback of those before it."""

    number = serializers.IntegerField(min_value=1, max_value=99)
    name = serializers.CharField(max_length=64)
    models = ModelSerializer(many=True)
    needs_approval = serializers.BooleanField(default=False)
    review_note = serializers.CharField(max_length=500, default="")


class WholeSpanSerializer(Absent):
    """From `at_least` on and `below`; one of them at least."""

    at_least = serializers.IntegerField(min_value=0)
    below = serializers.IntegerField(min_value=0)


class DecimalSpanSerializer(Absent):
    """The same, as decimal text."""

    at_least = serializers.CharField()
    below = serializers.CharField()


class TimeOfDaySerializer(serializers.Serializer[Any]):
    """In the organisation's zone, HH:MM; days from Monday, 1, to Sunday, 7. `from` is in, `to` is out."""

    to = serializers.CharField()
    days = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=7), required=False)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.CharField(), **super().get_fields()}  # a word that no attribute can have


class ConditionsSerializer(Absent):
    """All that are named must hold; one of a list's values is enough. {} is every call."""

    business_value = DecimalSpanSerializer()
    complexity = DecimalSpanSerializer()
    input_tokens = WholeSpanSerializer()
    estimated_cost_nano = WholeSpanSerializer(help_text="Nano-dollars.")
    time_of_day = TimeOfDaySerializer()

    def get_fields(self) -> dict[str, Any]:
        lists = {name: serializers.ListField(child=serializers.CharField(), required=False) for name in LISTS}
        return {**lists, **super().get_fields()}


class OutcomeSerializer(Absent):
    """What a rule gives."""

    tier = serializers.IntegerField(min_value=1)
    provider = serializers.CharField(help_text="With `model`, of the tier.")
    model = serializers.CharField()
    latency_ms = serializers.IntegerField(help_text="The slowest that will do.")
    quality = serializers.CharField(help_text=SHARE)
    max_cost_nano = serializers.IntegerField(help_text="The dearest that a call may be, nano-dollars.")
    max_output_tokens = serializers.IntegerField()
    cache = serializers.ListField(child=serializers.ChoiceField(CACHE_KINDS), help_text="[] allows none.")
    batch = serializers.BooleanField()
    review = serializers.BooleanField(help_text="A person must look at the result.")


class PolicyRuleSerializer(serializers.Serializer[Any]):
    """`id` stays the same over versions."""

    id = serializers.CharField(max_length=64)
    name = serializers.CharField(max_length=128)
    when = ConditionsSerializer(required=False)
    then = OutcomeSerializer(required=False)


class PolicySerializer(Absent):
    """A whole policy. The first rule that fits is taken."""

    tiers = PolicyTierSerializer(many=True)
    rules = PolicyRuleSerializer(many=True)
    otherwise = OutcomeSerializer(help_text="What no rule fits.")
    unlisted_models = serializers.ChoiceField(UNLISTED, help_text="What becomes of calls for a model of no tier.")
    daily_tokens = serializers.DictField(
        child=serializers.IntegerField(min_value=1),
        help_text="Environment to tokens a day for each workflow; * is every environment but production.",
    )


@extend_schema_field(PolicySerializer)
class DocumentField(serializers.JSONField):
    """Checked by whoever saves it, so that each problem has its path."""


class VersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    """A version, published or not. `edit_version` grows with every edit of a draft."""

    based_on = serializers.IntegerField(source="based_on.number", allow_null=True, default=None)
    created_by = serializers.CharField(source="created_text")
    published_by = serializers.CharField(source="published_text")
    request = serializers.IntegerField(
        source="request_id", allow_null=True, help_text="The approval request that it waits, or waited, for."
    )

    class Meta:
        model = PolicyVersion
        fields = [
            "id", "number", "state", "live", "title", "note", "based_on", "edit_version", "created_by", "created_at",
            "changed_at", "published_by", "published_at", "request",
        ]  # fmt: skip
        read_only_fields = fields


class WholeVersionSerializer(VersionSerializer):
    """With what it says."""

    document = DocumentField()

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "document"]
        read_only_fields = fields


class BeginSerializer(serializers.Serializer[Any]):
    """A new draft: of the version in force, of another by its number, or of a whole document."""

    title = serializers.CharField(max_length=200)
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    based_on = serializers.IntegerField(required=False, min_value=1, help_text="Number of a published version.")
    document = DocumentField(required=False)


class SaveSerializer(serializers.Serializer[Any]):
    """All of a draft. `edit_version` as it was read, here or as `If-Match`."""

    document = DocumentField()
    title = serializers.CharField(max_length=200, required=False)
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    edit_version = serializers.IntegerField(required=False, min_value=1)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class PublishSerializer(serializers.Serializer[Any]):
    """What was seen: the draft's `edit_version`, and `over`, the number of the version in force beside it."""

    edit_version = serializers.IntegerField(required=False, min_value=1)
    over = serializers.IntegerField(required=False, min_value=0)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class RollBackSerializer(serializers.Serializer[Any]):
    """`over`: the number of the version that was seen in force. `reason` is kept in the history."""

    over = serializers.IntegerField(required=False, min_value=1)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class RemarkSerializer(serializers.Serializer[Any]):
    """`where` is a path in the document, `budgets.<short name>`, or empty for the whole."""

    level = serializers.ChoiceField(["problem", "warning"])
    where = serializers.CharField()
    sentence = serializers.CharField()


class CheckedSerializer(serializers.Serializer[Any]):
    """Problems refuse publishing, warnings do not."""

    can_publish = serializers.BooleanField()
    remarks = RemarkSerializer(many=True)


class DifferenceSerializer(serializers.Serializer[Any]):
    """`subject`: a tier's number, provider/model, a rule's id, an environment, or empty."""

    kind = serializers.CharField()
    subject = serializers.CharField()
    sentence = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ComparedSerializer(serializers.Serializer[Any]):
    """From `old` (a version's number, null: none) to this one."""

    old = serializers.IntegerField(allow_null=True)
    differences = DifferenceSerializer(many=True)
