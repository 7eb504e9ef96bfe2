"""Unusual spend: what was found, what detection remembers of each series, and which sources are known where."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value

from budgets.models import Team, Workflow


class Finding(models.Model):
    """Spend that was not as usual: one row for everything that fired together in one scope.

    `since` up to, not including, `until` are instants on grains of `grain` seconds; `ended_at` null: it goes on. Money
    in nano-dollars: `amount` is `actual` − `expected`, both null where no usual is known, which is never guessed.
    `points` are its grains: [epoch seconds, actual, expected, low, high] in nano-dollars, what is not known null; those
    before `since` are there to be seen beside it and are in no sum.
    `peaks` is measure → the highest value of one grain, in the measure's unit, keyed "money:900" (grain in seconds).
    `taught` holds while a person says that this was expected: the same shape at the same hours of the week is quiet.
    `planned` names the planned activity that made it expected.
    `runs` are the one or few runs that most of it comes from; empty where it is many, or none that calls name.
    """

    class Kind(models.TextChoices):
        USUAL = "usual", "Above its usual"
        LOOP = "loop", "A run that goes in circles"
        RETRIES = "retries", "Many repeated calls"
        CONTEXT = "context", "Input that grows with every turn"
        OUTPUT = "output", "Answers without end"
        BURST = "burst", "One person’s burst"
        SOURCE = "source", "A key used from somewhere new"
        CREEP = "creep", "Slow growth over weeks"

    class State(models.TextChoices):
        OPEN = "open", "To check"
        CHECKING = "checking", "Being checked"
        EXPECTED = "expected", "Expected"
        FIXED = "fixed", "Fixed"

    class Act(models.TextChoices):
        NONE = "", "Nothing"
        PAUSED = "paused", "Its workflow was paused"
        STOPPED = "stopped", "Its run was stopped"
        CAPPED = "capped", "Its run was stopped and later ones limited"

    kind = models.CharField(max_length=8, choices=Kind)
    dimension = models.CharField(max_length=8, help_text="workflow, team or model")
    key = models.TextField(help_text="The workflow's id, the team's short name, the model's name.")
    subject = models.TextField(blank=True, help_text="The run, person or source that it is about.")
    runs = models.JSONField(default=list, blank=True, db_default=Value([], models.JSONField()))
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="+")
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=200, help_text="What the scope was called when it was found.")
    measures = models.JSONField(default=list)
    grain = models.IntegerField(help_text="Seconds; 900, 3600 or a day.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    found_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    actual = models.BigIntegerField()
    expected = models.BigIntegerField(null=True, blank=True)
    amount = models.BigIntegerField(null=True, blank=True)
    points = models.JSONField(default=list)
    peaks = models.JSONField(default=dict)
    cause = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    taught = models.BooleanField(default=False)
    planned = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    acted = models.CharField(max_length=8, choices=Act, blank=True, default="")
    acted_entry = models.BigIntegerField(null=True, blank=True, help_text="The row of history of what was done.")
    acted_undone = models.BooleanField(default=False)

    class Meta:
        ordering = ["-found_at", "-pk"]
        indexes = [
            models.Index(fields=["dimension", "key", "until"], name="finding_of_scope"),
            models.Index(fields=["workflow", "found_at"], name="finding_of_workflow"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kind", "dimension", "key", "subject", "since"], name="finding_once"),
            models.UniqueConstraint(
                fields=["kind", "dimension", "key", "subject"], condition=Q(ended_at=None), name="finding_open_once"
            ),
            models.CheckConstraint(condition=Q(until__gte=F("since")), name="finding_ends_after_it_starts"),
            models.CheckConstraint(
                condition=Q(expected=None, amount=None) | Q(amount=F("actual") - F("expected")), name="finding_amount"
            ),
            models.CheckConstraint(condition=Q(taught=False) | Q(state="expected"), name="finding_taught"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.get_kind_display().lower()}"

    @property
    def is_open(self) -> bool:
        """Whether somebody should still look at it."""
        return self.state in {self.State.OPEN, self.State.CHECKING}

    @property
    def can_be_taken_back(self) -> bool:
        """Whether a rule did something to its workflow that still stands."""
        done = self.acted in {self.Act.PAUSED, self.Act.CAPPED}
        return done and self.acted_entry is not None and not self.acted_undone


class WatchedSeries(models.Model):
    """What the detector remembers of one measure of one scope at one grain (seconds), up to `settled_to`.

    `state` is the detector's own. Grains from `settled_to` on are scored anew at each look, since late calls may still
    change them. `began_at` is the scope's first use.
    """

    dimension = models.CharField(max_length=8)
    key = models.TextField()
    measure = models.CharField(max_length=16)
    grain = models.IntegerField()
    began_at = models.DateTimeField()
    settled_to = models.DateTimeField()
    state: Any = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dimension", "key", "measure", "grain"], name="watched_series_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.key}: {self.measure}"


class Watch(models.Model):
    """How far detection has come: the end of the newest quarter hour, hour, batch and day it has looked at."""

    quarters_to = models.DateTimeField(null=True)
    hours_to = models.DateTimeField(null=True)
    arrivals_to = models.DateTimeField(null=True, help_text="When the newest batch whose sources were noted came.")
    creep_on = models.DateField(null=True)
    looked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="watch_single_row")]

    def __str__(self) -> str:
        return f"looked at {self.looked_at}"


class KnownUse(models.Model):
    """A source sent calls of this workflow, or from this application, at `first_at` for the first time."""

    source_id = models.IntegerField()
    what = models.CharField(max_length=11, help_text="workflow or application")
    value = models.TextField()
    first_at = models.DateTimeField()
    pk = models.CompositePrimaryKey("source_id", "what", "value")

    class Meta:
        verbose_name_plural = "known uses"
