"""Approved texts that workflows send with their calls: brand rules, product facts, compliance texts, templates."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from budgets.models import Team, Workflow
from budgets.models.workflows import check_slug


class Snippet(models.Model):
    """An approved text under a short id. Its text is that of its newest version; versions never change."""

    class Kind(models.TextChoices):
        BRAND = "brand", "Brand rules"
        FACTS = "facts", "Product facts"
        COMPLIANCE = "compliance", "Compliance text"
        TEMPLATE = "template", "Brief template"

    slug = models.CharField(max_length=64, unique=True, validators=[check_slug], help_text="The short id.")
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=10, choices=Kind)
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    workflows = models.ManyToManyField(Workflow, blank=True, related_name="snippets", help_text="That may use it.")
    archived_at = models.DateTimeField(null=True, blank=True)
    edit_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SnippetVersion(models.Model):
    """One text of a snippet. `digest` is its SHA-256 in hexadecimal; `tokens` are counted as docs/snippets.md says."""

    snippet = models.ForeignKey(Snippet, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    digest = models.CharField(max_length=64)
    tokens = models.PositiveIntegerField()
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["snippet", "number"], name="snippet_version_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="snippet_version_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.snippet} {self.number}"
