"""How prices look in the API: dollars as decimal text, nano-dollars as whole numbers."""

from typing import Any

from rest_framework import serializers

from usage.models import PriceEntry, PriceRefresh, RepriceRun
from usage.prices.entry import mistakes
from usage.prices.preview import LONGEST

TIERS = ["standard", "batch", "flex", "priority"]
RATE: dict[str, Any] = {"max_digits": 16, "decimal_places": 8, "normalize_output": True, "allow_null": True}
PRICE_FIELDS = ["input", "cached_input", "cache_write", "output", "units", "steps", "hours"]


class StepSerializer(serializers.Serializer[Any]):
    """Prices of a whole call whose input reaches `from_input_tokens`; what is missing stays as in the entry."""

    from_input_tokens = serializers.IntegerField(min_value=1)
    input = serializers.CharField(required=False)
    cached_input = serializers.CharField(required=False)
    cache_write = serializers.CharField(required=False)
    output = serializers.CharField(required=False)
    units = serializers.DictField(child=serializers.CharField(), required=False)


class PriceSerializer(serializers.ModelSerializer[PriceEntry]):
    """An entry of the book. Token prices in dollars per million tokens, `units` in dollars each; null: no price."""

    input = serializers.DecimalField(**RATE)
    cached_input = serializers.DecimalField(**RATE)
    cache_write = serializers.DecimalField(**RATE)
    output = serializers.DecimalField(**RATE)
    units = serializers.DictField(child=serializers.CharField())
    steps = StepSerializer(many=True)
    hours = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = PriceEntry
        fields = [
            "id", "provider", "model", "service_tier", "valid_from", "valid_to", "origin", "origin_note",
            *PRICE_FIELDS, "created_at", "superseded_at",
        ]  # fmt: skip
        read_only_fields = fields


class OverrideSerializer(serializers.Serializer[Any]):
    """A price of one's own. `valid_from` defaults to now."""

    provider = serializers.CharField(max_length=64)
    model = serializers.CharField(max_length=128)
    service_tier = serializers.ChoiceField(TIERS, default="standard")
    valid_from = serializers.DateTimeField(required=False)
    valid_to = serializers.DateTimeField(required=False, allow_null=True, default=None)
    input = serializers.DecimalField(**RATE, required=False, min_value=0)
    cached_input = serializers.DecimalField(**RATE, required=False, min_value=0)
    cache_write = serializers.DecimalField(**RATE, required=False, min_value=0)
    output = serializers.DecimalField(**RATE, required=False, min_value=0)
    units = serializers.DictField(child=serializers.CharField(), required=False, help_text='{"web_search": "0.01"}')
    steps = StepSerializer(many=True, required=False)
    hours = serializers.ListField(child=serializers.DictField(), required=False)
    origin_note = serializers.CharField(max_length=200, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wrong = mistakes({"valid_from": serializers.DateTimeField().to_internal_value("2000-01-01T00:00Z"), **attrs})
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


class PriceQuerySerializer(serializers.Serializer[Any]):
    """What to list."""

    provider = serializers.CharField(required=False, help_text="In the book's words, such as `openai`.")
    model = serializers.CharField(required=False)
    service_tier = serializers.ChoiceField(TIERS, required=False)
    origin = serializers.ChoiceField(PriceEntry.Origin.choices, required=False)
    search = serializers.CharField(required=False, help_text="In provider or model.")
    at = serializers.DateTimeField(required=False, help_text="Only entries that hold at this time.")
    superseded = serializers.BooleanField(default=False, help_text="Those taken out of use too.")


class EndSerializer(serializers.Serializer[Any]):
    """When an override ends, and why."""

    at = serializers.DateTimeField(required=False)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class RepricePreviewSerializer(serializers.Serializer[Any]):
    """Calls of [starts_at, ends_at) by their own time; at most 800 days."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    model = serializers.CharField(max_length=128, required=False, default="", allow_blank=True)
    only_unpriced = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": "The end must come after the start."})
        if attrs["ends_at"] - attrs["starts_at"] > LONGEST:
            raise serializers.ValidationError({"ends_at": f"A run covers at most {LONGEST.days} days."})
        return attrs


class WorkflowChangeSerializer(serializers.Serializer[Any]):
    """One workflow's part of a preview; nano-dollars."""

    workflow = serializers.CharField()
    calls = serializers.IntegerField()
    unpriced = serializers.IntegerField(help_text="Of them without a price so far.")
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class RepriceSerializer(serializers.ModelSerializer[RepriceRun]):
    """A re-price run. `before` and `after` in nano-dollars, of the calls that change."""

    preview = WorkflowChangeSerializer(many=True)

    class Meta:
        model = RepriceRun
        fields = [
            "id", "status", "starts_at", "ends_at", "model", "only_unpriced", "expected", "seen", "preview", "calls",
            "corrected", "still_unpriced", "before", "after", "written", "problem", "requested_by", "created_at",
            "confirmed_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class RefreshSerializer(serializers.ModelSerializer[PriceRefresh]):
    """What genai-prices says and the book does not. Each change has `before` and `after`."""

    added = serializers.ListField(child=serializers.DictField())
    changed = serializers.ListField(child=serializers.DictField())
    ended = serializers.ListField(child=serializers.DictField())
    unlisted = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = PriceRefresh
        fields = [
            "id", "status", "package", "added", "changed", "ended", "unlisted", "created_at", "decided_at",
            "decided_by",
        ]  # fmt: skip
        read_only_fields = fields
