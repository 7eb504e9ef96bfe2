"""Dated currency rates. The ledger stays in US dollars; pages show the organisation's currency by these."""

from django.db import models
from django.db.models import Q


class CurrencyRate(models.Model):
    """How many units of `currency` one US dollar buys from `day` on, until the next day that has a rate."""

    currency = models.CharField(max_length=3)
    day = models.DateField()
    per_dollar = models.DecimalField(max_digits=18, decimal_places=8)
    origin = models.CharField(max_length=100, blank=True, help_text="Where it is from, for example ECB.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["currency", "-day"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "day"], name="currency_rate_once"),
            models.CheckConstraint(condition=Q(per_dollar__gt=0), name="currency_rate_positive"),
            models.CheckConstraint(condition=~Q(currency="USD"), name="currency_rate_not_of_the_dollar"),
        ]

    def __str__(self) -> str:
        return f"{self.per_dollar.normalize():f} {self.currency} per dollar from {self.day}"
