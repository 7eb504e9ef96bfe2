"""How long to wait before the next try: longer each time, and never all clients at once. Pure but for the dice."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST = 0.5  # seconds
LONGEST = 30.0
LONGEST_ASKED = 300.0  # of what a server may ask for with Retry-After


def pause(failures: int, retry_after: float | None = None, longest: float = LONGEST) -> float:
    """Seconds until the next try after `failures` in a row (1 at least).

    Between half and all of 0.5, 1, 2, … `longest`. What the server asked for is waited in full, and up to a quarter
    more.
    """
    if retry_after is not None:
        return retry_after * random.uniform(1.0, 1.25)  # noqa: S311 - spreads load, guards nothing
    ceiling = min(longest, FIRST * 2.0 ** min(max(failures, 1) - 1, 20))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, between 0.1 and 300; None where it is missing or unreadable."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.1), LONGEST_ASKED)
