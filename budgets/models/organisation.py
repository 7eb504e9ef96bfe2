"""The organisation: one row, and the generation that every cached configuration is held against."""

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.core import get_global
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.models import Q, Value


def check_time_zone(name: str) -> None:
    """Refuse a time-zone name that the tz database does not know."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValidationError(f"{name!r} is no time zone. Use a name such as Europe/Berlin.") from None
    with connection.cursor() as cursor:  # days are summed in the database, which has names of its own
        cursor.execute("SELECT 1 FROM pg_timezone_names WHERE name = %s", [name])
        if cursor.fetchone() is None:
            raise ValidationError(f"The database does not know the time zone {name!r}. Use one such as Europe/Berlin.")


def check_currency(code: str) -> None:
    """Refuse what is no currency's ISO 4217 code. Whether there is a rate for it is for whoever sets it to check."""
    if code not in get_global("all_currencies"):
        raise ValidationError(f"{code!r} is no currency. Use a code such as EUR.")


class Organisation(models.Model):
    """The company. `generation` grows with every change of a budget, price, workflow, team or of this row.

    A ledger row carries the generation under which it was priced and charged, so that a new budget knows which rows
    were charged to it already and which it must read from the ledger.
    """

    name = models.CharField(max_length=128, default="My company")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    currency = models.CharField(
        max_length=3, default="USD", validators=[check_currency], help_text="In which pages show money."
    )
    fiscal_year_starts = models.PositiveSmallIntegerField(default=1, help_text="Month, 1 to 12.")
    closed_before = models.DateField(
        null=True, blank=True, help_text="Days before this date are closed: late usage posts into the open month."
    )
    generation = models.PositiveIntegerField(default=1, editable=False)
    state_version = models.PositiveBigIntegerField(default=0, editable=False)
    policy_needs_second = models.BooleanField(
        default=False, db_default=False, help_text="A policy is published only once a second person has approved it."
    )
    is_demo = models.BooleanField(default=False, editable=False)
    setup = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        editable=False,
        help_text="Set-up steps skipped or confirmed.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="organisation_is_one_row"),
            models.CheckConstraint(
                condition=Q(fiscal_year_starts__gte=1, fiscal_year_starts__lte=12), name="organisation_fiscal_month"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def get(cls) -> "Organisation":
        """The one row; a migration made it."""
        return cls.objects.get(id=1)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def local(self, when: datetime) -> datetime:
        """`when` (aware) as the organisation's wall clock shows it."""
        return when.astimezone(self.zone)
