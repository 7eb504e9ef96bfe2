"""Scores how unusual each value of a series is as it comes in: what comes later never changes a score.

Each look at a value yields how far off it is, and how rare that is: how many decimal digits of the values before were
as far off (`sizes.py`). Rarities per value become rarities per hour, so one threshold holds at any grain: strength 2 is
"once in 100 hours". Values of a quarter of an hour or longer (`COARSE`) get one look,

* **jump**: off the level plus what this time of the day adds, with or without what this time of the week adds,
  whichever is nearer; how great it is beside the usual value makes it stronger, and not to stand out clearly from the
  jumps of every day weaker;

shorter ones (`FINE`), which swing more from one to the next, get two, joined by a power mean:

* **shift**: the mean of the last values against the longer mean;
* **echo**: off what the same half hour held.

What was told is not told again for a while unless it is stronger: the strength to beat falls from that of the last
value told to 0 over `quiet` of the values so far. The numbers were chosen on the public series of docs/unusual.md.
"""

from dataclasses import dataclass
from datetime import datetime
from math import log10
from typing import Any

from reports.unusual.creep import Creep
from reports.unusual.seasons import DAY, Days, HalfHours, Weeks, slots_from_state, slots_to_state
from reports.unusual.sizes import Sizes

HOUR = 3_600
QUARTER = 900
SHIPPED_THRESHOLD = 0.5  # from this score on a value is told of
STATE_VERSION = 1

FIRST_VALUES = 3  # of which no look learns: the level is not there yet
BEFORE_USUAL = 20  # values before "the usual value" means something
HALF_LIFE = 60 * DAY  # seconds after which what was seen weighs half
LEVEL, SHORT, LONG, SCALE = 96, 24, 192, 400  # values over which means are taken
STRANGE = 3  # times the usual distance: what is further off teaches the time of the day no more than this
LARGEST = 1e100  # what is greater is no measurement
SAME = 1e-9  # of the level: closer values are equal, the difference is arithmetic's
RANGE = 0.95  # of past values were as near to what was expected as the usual range reaches
MOST_TIMES_USUAL = 1.5  # decimal digits that a jump's greatness can add to


@dataclass(frozen=True, slots=True)
class Tuning:
    """What differs by grain."""

    fine: bool
    threshold: float  # strength that scores SHIPPED_THRESHOLD
    quiet: float  # share of the values so far
    longest_quiet: float  # seconds


FINE = Tuning(fine=True, threshold=1.65, quiet=0.12, longest_quiet=7 * DAY)
COARSE = Tuning(fine=False, threshold=2.1, quiet=0.05, longest_quiet=3 * DAY)
POWER = 4  # of the mean of shift and echo: near to the greater of both
TIMES_USUAL = 0.8  # strength for each decimal digit that a jump is greater than the usual value
CLEARLY = 15  # times the middle jump is clear
MORE_THAN_NOTHING = 4  # times the usual value is clear, where most values are 0 and any other is rare
UNCLEAR = 6  # strength lost for each decimal digit that is missing to that: what is rare by chance only is not told


@dataclass(frozen=True, slots=True)
class Seen:
    """What is said of one value. `expected`, `low` and `high` were thought before it came, in its unit."""

    score: float  # 0..1, of what is new; 0.5 is the threshold
    loudness: float  # 0..1, the same before what was told is kept quiet: whether it still goes on
    expected: float | None  # None before anything was seen
    low: float | None
    high: float | None
    creep: float  # 0..1, of a slow rise over weeks, as of the last complete day; 0.5 is the threshold
    growth: float  # share by which a week is above that of four weeks before, where creep is not 0


class Detector:
    """Scores one series. A level shift is learnt in `LEVEL` values (hourly: four days), a weekly habit in two weeks."""

    def __init__(self, grain_seconds: float) -> None:
        """`grain_seconds` is the usual distance of two values."""
        if not grain_seconds > 0:
            raise ValueError("The grain has to be more than 0 seconds.")
        self.grain = grain_seconds
        self.tuning = FINE if grain_seconds < QUARTER else COARSE
        self.an_hour = log10(HOUR / grain_seconds)
        self.count = 0
        self.negative = False
        self.level = self.scale = self.short = self.long = 0.0
        self.last_strength, self.last_place = 0.0, 0
        slot = int(min(max(grain_seconds, QUARTER), DAY))
        self.days, self.weeks, self.half_hours, self.creep = Days(slot), Weeks(slot), HalfHours(), Creep()
        half_life = HALF_LIFE / grain_seconds
        self.jumps, self.usual = Sizes(half_life), Sizes(half_life)
        self.shifts, self.echoes = Sizes(half_life), Sizes(half_life)

    def score(self, timestamp: datetime, value: float | None) -> float:
        return self.see(timestamp, value).score

    def see(self, timestamp: datetime, value: float | None) -> Seen:
        """`timestamp` is in the zone whose days and weeks count. None and what is no number are a gap: it scores 0."""
        second = timestamp.weekday() * DAY + timestamp.hour * HOUR + timestamp.minute * 60 + timestamp.second
        day = self.days.expected(second)
        week = self.weeks.expected(second)
        expected, low, high = self.usual_range(day, week)
        if value is None or not abs(value) <= LARGEST:
            return Seen(0.0, 0.0, expected, low, high, self.creep.score, self.creep.growth)
        if not self.count:
            self.level = self.short = self.long = value
        self.count += 1
        self.negative = self.negative or value < 0
        off = value - self.level
        jump = min(abs(off - day), abs(off - day - week))
        strength = self.fine(second, value) if self.tuning.fine else self.coarse(jump, value)
        if self.count > FIRST_VALUES:
            self.jumps.add(jump if jump > self.same else 0.0)
        self.usual.add(abs(value))
        self.learn(second, value, off, day)
        self.creep.add(timestamp.toordinal(), value)
        new = self.new(strength)
        return Seen(self.scored(new), self.scored(strength), expected, low, high, self.creep.score, self.creep.growth)

    def usual_range(self, day: float, week: float) -> tuple[float | None, float | None, float | None]:
        if not self.count:
            return None, None, None
        spread = self.jumps.quantile(RANGE)
        least = float("-inf") if self.negative else 0.0
        plain = self.level + day
        low, high = min(plain, plain + week) - spread, max(plain, plain + week) + spread
        return max(plain + week, least), max(low, least), max(high, least)

    @property
    def same(self) -> float:
        return SAME * abs(self.level)

    def coarse(self, jump: float, value: float) -> float:
        """Strength of a jump."""
        if self.count <= FIRST_VALUES or jump <= self.same:
            return 0.0
        strength = self.jumps.rarity(jump) - self.an_hour
        usual, mostly_nothing = self.usual.middle()
        if self.count > BEFORE_USUAL and jump > usual > 0:
            strength += TIMES_USUAL * min(log10(jump / usual), MOST_TIMES_USUAL)
        clear = max(CLEARLY * self.jumps.quantile(0.5), MORE_THAN_NOTHING * usual if mostly_nothing else 0.0)
        if jump < clear:
            strength -= UNCLEAR * log10(clear / jump)
        return strength

    def fine(self, second: int, value: float) -> float:
        """Strength of shift and echo, which learn here."""
        self.short += (value - self.short) / min(SHORT, self.count)
        shift = abs(self.short - self.long)
        self.long += (value - self.long) / min(LONG, self.count)
        held = self.half_hours.held(second)
        self.half_hours.learn(second, value)
        if self.count <= FIRST_VALUES:
            return 0.0
        rarities = 0.0
        for sizes, size in ((self.shifts, shift), (self.echoes, None if held is None else abs(value - held))):
            if size is not None:
                real = size if size > self.same else 0.0
                rarities += sizes.rarity(real) ** POWER / 2
                sizes.add(real)
        return float(rarities ** (1 / POWER)) - self.an_hour

    def learn(self, second: int, value: float, off: float, day: float) -> None:
        count = self.count
        early = count < 30
        limit = STRANGE * self.scale
        self.days.learn(second, off if early else max(-limit, min(limit, off)))
        self.weeks.learn(second, off - day)
        self.scale += ((abs(off) if early else min(abs(off), 5 * self.scale)) - self.scale) / min(SCALE, count)
        self.level += off / min(LEVEL, count)

    def new(self, strength: float) -> float:
        """The strength if it beats what the last value told leaves of its own, else 0."""
        quiet = min(self.tuning.quiet * self.count, self.tuning.longest_quiet / self.grain)
        since = self.count - self.last_place
        if since < quiet and strength <= self.last_strength * (1 - since / quiet):
            return 0.0
        self.last_strength, self.last_place = strength, self.count
        return strength

    def scored(self, strength: float) -> float:
        return strength / (strength + self.tuning.threshold) if strength > 0 else 0.0

    def to_state(self) -> dict[str, Any]:
        """All that is needed to go on, as JSON takes it. The grain is a part of it."""
        return {
            "version": STATE_VERSION,
            "grain": self.grain,
            **{name: getattr(self, name) for name in PLAIN},
            **{name: getattr(self, name).to_state() for name in COUNTED},
            **{name: slots_to_state(getattr(self, name).slots) for name in SLOTTED},
            "creep": self.creep.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Detector":
        """Raises ValueError for the state of another version: such a series is scored anew from its beginning."""
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"This state is of version {state.get('version')}, not {STATE_VERSION}.")
        made = cls(state["grain"])
        for name in PLAIN:
            setattr(made, name, state[name])
        for name in COUNTED:
            setattr(made, name, Sizes.from_state(state[name]))
        for name in SLOTTED:
            getattr(made, name).slots = slots_from_state(state[name])
        made.creep = Creep.from_state(state["creep"])
        return made


PLAIN = ("count", "negative", "level", "scale", "short", "long", "last_strength", "last_place")
COUNTED = ("jumps", "usual", "shifts", "echoes")
SLOTTED = ("days", "weeks", "half_hours")
