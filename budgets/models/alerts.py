"""What happened, what people are told of it by which rule, and where: one row for each cause."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from budgets.models.limits import Budget
from budgets.models.workflows import Team


class Crossing(models.Model):
    """A budget reached a threshold, or is back under it.

    It is identified by budget, period, threshold and limit version, so that one after a top-up is told again.
    """

    class Kind(models.TextChoices):
        CROSSED = "crossed", "Threshold crossed"
        RESOLVED = "resolved", "Back under the threshold"

    kind = models.CharField(max_length=8, choices=Kind)
    budget = models.ForeignKey(Budget, models.CASCADE, related_name="crossings")
    period_start = models.DateField()
    threshold = models.PositiveSmallIntegerField()
    limit_version = models.PositiveIntegerField()
    spent = models.BigIntegerField()
    limit = models.BigIntegerField()
    raised_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True, editable=False, help_text="When the alert rules had seen it.")

    class Meta:
        ordering = ["-raised_at"]
        indexes = [models.Index(fields=["id"], condition=Q(told_at=None), name="crossing_untold")]
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "period_start", "threshold", "limit_version"],
                condition=Q(kind="crossed"),
                name="alert_once_per_crossing",
            ),
            models.UniqueConstraint(
                fields=["budget", "period_start", "threshold", "limit_version"],
                condition=Q(kind="resolved"),
                name="alert_once_per_resolution",
            ),
        ]


class Channel(models.Model):
    """Where messages go: an address of one transport. `address` may be shown; what is secret of it is sealed.

    Quiet hours are times of the organisation's zone (from may be later than to: over midnight) in which only urgent
    messages leave; what waited goes out when they end. Messages of rules that are not urgent are collected into one
    digest a day, at `digest_at`.
    """

    name = models.CharField(max_length=128, unique=True)
    transport = models.CharField(max_length=16, help_text="A key of `budgets.delivery.transports.TRANSPORTS`.")
    address = models.CharField(max_length=500, help_text="E-mail addresses, a Slack channel, the host of a webhook.")
    sealed = models.BinaryField(null=True, blank=True, editable=False)
    options = models.JSONField(default=dict, blank=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    digest_at = models.TimeField(default="09:00")
    archived_at = models.DateTimeField(null=True, blank=True)
    edit_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_to=None)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
                name="channel_quiet_hours",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """When to tell whom. `trigger` is a key of `routing.alerts.triggers.TRIGGERS`; `options` are that trigger's.

    What happened before `since` is never told. A rule with a team is about that team's budgets and workflows only.
    """

    name = models.CharField(max_length=128)
    trigger = models.CharField(max_length=32)
    options = models.JSONField(default=dict, blank=True)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    urgent = models.BooleanField(default=True, help_text="Sent at once; else in the channel's digest of the day.")
    channels = models.ManyToManyField(Channel, blank=True, related_name="rules")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    muted_at = models.DateTimeField(null=True, blank=True)
    muted_until = models.DateTimeField(null=True, blank=True, help_text="Empty while muted: until it is unmuted.")
    mute_reason = models.CharField(max_length=500, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(default=timezone.now)
    looked_at = models.DateTimeField(null=True, editable=False, help_text="When it was last evaluated.")
    problem = models.CharField(max_length=500, blank=True, editable=False, help_text="Why that failed, if it did.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    edit_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(muted_until=None) | Q(muted_at__isnull=False), name="alert_rule_muted"),
        ]

    def __str__(self) -> str:
        return self.name

    def is_muted(self, now: Any) -> bool:
        """Whether its alerts are written without being sent."""
        return self.muted_at is not None and (self.muted_until is None or self.muted_until > now)


class Alert(models.Model):
    """What a rule found, once per cause. `facts` (frozen) are `budgets.alerts.findings.Finding` as it was told."""

    rule = models.ForeignKey(AlertRule, models.PROTECT, related_name="alerts")
    cause = models.CharField(max_length=300, help_text="What makes it the same alert: scope, period, threshold.")
    title = models.CharField(max_length=300)
    facts = models.JSONField(default=dict)
    amount = models.BigIntegerField(null=True, blank=True, help_text="Nano-dollars that it is about, for sorting.")
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="+")
    happened_at = models.DateTimeField()
    raised_at = models.DateTimeField(default=timezone.now)
    muted = models.BooleanField(default=False, help_text="The rule was muted: written, not sent.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    snoozed_until = models.DateTimeField(null=True, blank=True, help_text="Told again then, if it still stands.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-raised_at", "-pk"]
        indexes = [
            models.Index(fields=["rule", "raised_at"], condition=Q(resolved_at=None), name="alert_open"),
            models.Index(fields=["snoozed_until"], condition=Q(resolved_at=None), name="alert_snoozed"),
        ]
        constraints = [models.UniqueConstraint(fields=["rule", "cause"], name="alert_once_per_cause")]

    def __str__(self) -> str:
        return self.title


class Notice(models.Model):
    """That one channel has to hear of one alert: put into a delivery, alone or with others, when its time comes."""

    class Kind(models.TextChoices):
        RAISED = "raised", "Raised"
        RESOLVED = "resolved", "Resolved"
        AGAIN = "again", "Told again after a snooze"

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="notices")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    round = models.PositiveIntegerField(default=0, help_text="Of `again`: how many snoozes there were before.")
    urgent = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivery = models.ForeignKey("Delivery", models.SET_NULL, null=True, blank=True, related_name="notices")

    class Meta:
        indexes = [models.Index(fields=["channel", "created_at"], condition=Q(delivery=None), name="notice_waiting")]
        constraints = [
            models.UniqueConstraint(fields=["alert", "channel", "kind", "round"], name="notice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.kind}"


class Delivery(models.Model):
    """One message on its way to one place: the outbox. `payload` is `budgets.delivery.message.Message`, frozen.

    Claimed (`claimed_until`), committed, sent, recorded. `key` makes the same message once. To a channel, or to one
    address of a person (`transport` email or slack, `address`).
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting to be sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"
        CANCELLED = "cancelled", "Not sent"

    key = models.CharField(max_length=300, unique=True)
    kind = models.CharField(max_length=16, help_text="alert, resolved, digest, request, reminder, decision, …")
    channel = models.ForeignKey(Channel, models.SET_NULL, null=True, blank=True, related_name="deliveries")
    transport = models.CharField(max_length=16)
    address = models.CharField(max_length=500)
    request = models.ForeignKey("ApprovalRequest", models.CASCADE, null=True, blank=True, related_name="deliveries")
    payload = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True, blank=True)
    give_up_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    external = models.JSONField(default=dict, blank=True, help_text="How the receiver names it, such as Slack's ts.")

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="queued"), name="delivery_due"),
            models.Index(fields=["request"], name="delivery_request"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
                name="delivery_sent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
