"""When things happen in the simulated sixty days, told from the day it was set up. Pure."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reports.demo import parameters as facts
from reports.demo.organisation import EVERGREEN, SEASONS

SATURDAY, WEDNESDAY = 5, 2


@dataclass(frozen=True)
class Campaign:
    """First and last day, both included."""

    slug: str
    first: date
    last: date

    def runs_on(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Story:
    """The plot. `today` is the day on which the demo was set up, in the organisation's zone; it never moves after."""

    seed: int
    today: date
    zone: ZoneInfo
    days: int = 60

    @property
    def first_day(self) -> date:
        return self.today - timedelta(days=self.days)

    @property
    def storm_day(self) -> date:
        """The last Wednesday that is at least eight days ago: a retry that never stopped."""
        latest = self.today - timedelta(days=8)
        return latest - timedelta(days=(latest.weekday() - WEDNESDAY) % 7)

    @property
    def longer_texts_since(self) -> date:
        """The last Monday that is at least five days ago: texts to translate grew longer."""
        latest = self.today - timedelta(days=5)
        return latest - timedelta(days=latest.weekday())

    @property
    def loop_days(self) -> tuple[date, ...]:
        """Days on which an agent went round in circles."""
        return tuple(self.today - timedelta(days=ago) for ago in (4, 19, 33))

    @property
    def own_model_since(self) -> date:
        return self.today - timedelta(days=facts.OWN_MODEL_SINCE)

    @property
    def unclaimed_days(self) -> tuple[date, ...]:
        """Days on which a workflow that nobody claimed sends."""
        return tuple(self.today - timedelta(days=ago) for ago in range(18, 0, -1))

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """This season's, from eleven days ago on, and last season's, in the middle of the history."""
        now, before = SEASONS[self.today.month - 1], SEASONS[self.today.month - 2]
        return (
            Campaign(now, self.today - timedelta(days=11), self.today + timedelta(days=10)),
            Campaign(before, self.today - timedelta(days=44), self.today - timedelta(days=31)),
        )

    def campaign(self, day: date, chance: random.Random) -> str:
        """The campaign a run belongs to: mostly the one that runs, else the evergreen one."""
        for one in self.campaigns:
            if one.runs_on(day) and chance.random() < 0.7:
                return one.slug
        return EVERGREEN

    def in_campaign(self, day: date) -> bool:
        return any(one.runs_on(day) for one in self.campaigns)

    def pace(self, day: date, chance: random.Random) -> float:
        """Traffic of a day against an ordinary working day: weekends, slow growth, and how days differ."""
        weekend = facts.WEEKEND if day.weekday() >= SATURDAY else 1.0
        growth = 1 + 0.12 * max(-1.0, (day - self.today).days / self.days)
        return float(weekend * growth * chance.lognormvariate(0, facts.DAY_SPREAD))

    def at(self, day: date, second: float) -> datetime:
        """`second` seconds after midnight by the organisation's clock, in UTC."""
        midnight = datetime.combine(day, time(), self.zone)
        return (midnight + timedelta(milliseconds=int(second * 1000))).astimezone(UTC)

    def chance(self, *parts: object) -> random.Random:
        """A chance of its own for each purpose, so that one more call here changes nothing there."""
        return random.Random("/".join(str(part) for part in (self.seed, *parts)))  # noqa: S311 (a simulation)
