"""Days on which daily peak hours hold, where genai-prices can only state the hours.

genai-prices (comment on `deepseek-v4-flash`): "Weekends are off-peak all day from 2026-08-23, which needs a day-of-week
condition, so on Saturdays and Sundays the peak prices here are an upper bound." The package model-prices 0.0.5
(`schedules`, citing https://api-docs.deepseek.com/zh-cn/updates and archived pricing pages) adds that the page excludes
Chinese public holidays since about 2026-09-18, and that off-peak rates are half of the peak rates. Its holiday list
(State Council notice of November 2025) ends with 2026; a holiday after that is priced at peak until the list grows.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

MONDAY_TO_FRIDAY: Final = (1, 2, 3, 4, 5)
EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)
# Weekdays only; the weekend days of these holidays are off-peak anyway.
HOLIDAYS: Final = tuple(date(2026, month, day) for month, day in [(9, 25), (10, 1), (10, 2), (10, 5), (10, 6), (10, 7)])


@dataclass(frozen=True)
class PeakDays:
    """From `since` (UTC midnight) on: ISO weekdays on which `hours` are peak hours, and days without any."""

    since: date
    hours: frozenset[tuple[str, str]]
    weekdays: tuple[int, ...]
    besides: tuple[date, ...] = ()


# DeepSeek's V4 models; the older ones (discount from 16:30 to 00:30) had it on every day.
V4_HOURS: Final = frozenset({("01:00", "04:00"), ("06:00", "10:00")})
DEEPSEEK: Final = (
    PeakDays(date(2026, 8, 17), V4_HOURS, EVERY_DAY),
    PeakDays(date(2026, 8, 23), V4_HOURS, MONDAY_TO_FRIDAY, HOLIDAYS),
)


def peak_days(provider: str) -> tuple[PeakDays, ...]:
    """The rules of one provider, oldest first."""
    return DEEPSEEK if provider == "deepseek" else ()


def peak_factor(provider: str) -> int:
    """Peak price / off-peak price, for dated prices whose peak the library does not state."""
    return 2 if provider == "deepseek" else 1
