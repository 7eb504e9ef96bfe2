"""The price book: dated unit prices."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q


class TsTzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class PriceEntry(models.Model):
    """Unit prices of one model from one moment to another, in US dollars per million tokens.

    `null` means that the book states no such price; 0 means free. A null cached price falls back to the input price, a
    null cache-write price to the input price, as providers that do not price them apart charge them.
    `units` maps a metered thing that is not a token to dollars **each**: {"web_search": "0.01"}.
    `steps` are long-context prices: [{"from_input_tokens": 200001, "input": "6", "output": "22.5", …}], ascending; the
    last step whose `from_input_tokens` is at most the call's whole input prices the **whole** call.
    `hours` are other prices at some hours (UTC): [{"from": "01:00", "to": "04:00", "weekdays": [1, 2, 3, 4, 5],
    "except": ["2026-10-01"], "input": "0.3", …}]; the first that holds at the end of the call prices it.
    What a step or an hour does not state stays as in the entry.
    An override beats a seeded entry of the same model at the same time.
    """

    class Origin(models.TextChoices):
        SEED = "genai-prices", "genai-prices"
        OVERRIDE = "override", "Set here"

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=128)
    service_tier = models.CharField(max_length=16, default="standard")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True, help_text="First instant at which it no longer holds.")
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.OVERRIDE)
    origin_note = models.CharField(max_length=200, blank=True)
    input = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    cached_input = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    cache_write = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    output = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    units = models.JSONField(default=dict, blank=True)
    steps = models.JSONField(default=list, blank=True)
    hours = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(
        null=True, blank=True, help_text="Taken out of use by a refresh; kept for the ledger."
    )

    class Meta:
        verbose_name_plural = "price entries"
        ordering = ["provider", "model", "service_tier", "-valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="price_dates_in_order"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": 0}),
                    name=f"price_{name}_not_negative",
                )
                for name in ("input", "cached_input", "cache_write", "output")
            ),
            ExclusionConstraint(
                name="price_one_at_a_time",
                expressions=[
                    ("provider", RangeOperators.EQUAL),
                    ("model", RangeOperators.EQUAL),
                    ("service_tier", RangeOperators.EQUAL),
                    ("origin", RangeOperators.EQUAL),
                    (TsTzRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                condition=Q(superseded_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} ({self.service_tier}) from {self.valid_from:%Y-%m-%d}"


class ModelTier(models.Model):
    """Which tier a model belonged to from a date on; written by publishing a policy (routing), read by the ledger."""

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=128)
    tier = models.PositiveSmallIntegerField()
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "model", "valid_from"], name="model_tier_dated")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}: tier {self.tier} from {self.valid_from:%Y-%m-%d}"


class RepriceRun(models.Model):
    """A re-pricing of past usage: previewed, confirmed, written as correction rows.

    While it is previewing, `seen` of about `expected` calls were looked at; while it runs, `corrected` of `calls` are
    written. Amounts in nano-dollars: `before` and `after` as previewed, `written` is what the corrections sum to.
    """

    class Status(models.TextChoices):
        PREVIEWING = "previewing", "Being counted"
        PREVIEW = "preview", "Preview"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        DISCARDED = "discarded", "Discarded"
        FAILED = "failed", "Failed"

    status = models.CharField(max_length=10, choices=Status, default=Status.PREVIEW)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    only_unpriced = models.BooleanField(default=True)
    model = models.CharField(max_length=128, blank=True, help_text="Only this model; empty for all.")
    preview = models.JSONField(default=list, help_text="Per workflow: calls, before and after in nano-dollars.")
    calls = models.BigIntegerField(default=0)
    corrected = models.BigIntegerField(default=0)
    still_unpriced = models.BigIntegerField(default=0, help_text="Calls that have no price today either.")
    before = models.BigIntegerField(default=0)
    after = models.BigIntegerField(default=0)
    expected = models.BigIntegerField(default=0, help_text="Calls that the preview has to look at.")
    seen = models.BigIntegerField(default=0, help_text="Calls that the preview has looked at.")
    written = models.BigIntegerField(default=0, help_text="What the corrections sum to, in nano-dollars.")
    problem = models.TextField(blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "re-price run"
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"Re-pricing of {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"

    @property
    def difference(self) -> int:
        """By which the preview changes what was spent, in nano-dollars."""
        return self.after - self.before


class PriceRefresh(models.Model):
    """What the installed genai-prices says that the book does not: shown first, applied only when someone confirms.

    Each change is {"provider", "model", "service_tier", "valid_from", "valid_to"} with `before` and `after` values.
    """

    class Status(models.TextChoices):
        PREVIEW = "preview", "Preview"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"

    status = models.CharField(max_length=9, choices=Status, default=Status.PREVIEW)
    package = models.CharField(max_length=64, help_text="genai-prices and its version.")
    digest = models.CharField(max_length=64, help_text="Of the changes: a preview that went stale is not applied.")
    added = models.JSONField(default=list)
    changed = models.JSONField(default=list)
    ended = models.JSONField(default=list)
    unlisted = models.JSONField(default=list, help_text="No longer listed there; they stay in force here.")
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name_plural = "price refreshes"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["status"], condition=Q(status="preview"), name="price_refresh_one_preview")
        ]

    def __str__(self) -> str:
        return f"{self.package}, {self.get_status_display().lower()}"


class ModelColour(models.Model):
    """Which of the five chart colours a model has on all pages: given at first sight, never changed."""

    model = models.TextField(unique=True)
    slot = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(slot__gte=1, slot__lte=5), name="model_colour_is_one_of_five")
        ]

    def __str__(self) -> str:
        return f"{self.model}: colour {self.slot}"
