"""Long charts by weeks: each day is in one week, the last is whole, and weeks come to what days do."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from budgets.models import NANO
from reports.asking.weeks import MOST_DAYS, labels_of, summed, weeks_of
from reports.asking.window import window_of
from reports.overview.drawing import chart
from reports.overview.spend import DayModel, ModelUse, shape

FIRST = date(2024, 11, 23)


@pytest.mark.parametrize("days", [MOST_DAYS + 1, 126, 127, 365, 730, 1_096])
def test_each_day_is_in_one_week_and_only_the_first_may_be_short(days: int) -> None:
    weeks, counted = weeks_of(days), range(days)
    assert [one for week in weeks for one in counted[week]] == list(counted)
    assert {len(counted[week]) for week in weeks[1:]} == {7}
    assert sum(summed(counted, weeks)) == sum(counted)


def test_few_days_are_drawn_one_by_one() -> None:
    assert weeks_of(MOST_DAYS) == weeks_of(0) == weeks_of(-1) == []


def test_a_week_is_called_by_its_ends() -> None:
    days = [FIRST + timedelta(days=n) for n in range(730)]
    said = labels_of(days, weeks_of(730))
    assert (said["labels"][0], said["full"][0], said["first"]) == ("23 Nov 2024", "23–24 Nov 2024", 2)
    assert (said["labels"][-1], said["full"][-1], said["today"]) == ("16 Nov 2026", "16–22 Nov 2026", 104)
    assert "30 Dec 2024–5 Jan 2025" in said["full"]


def test_two_years_on_the_overview_come_to_the_same_by_weeks() -> None:
    query = {"period": "custom", "from": "2024-11-23", "to": "2026-11-23"}
    window = window_of(query, datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("UTC")), ZoneInfo("UTC"))
    rows = [DayModel(one, "m", NANO // 3 + n, 1, 0) for n, one in enumerate(window.days)]
    spend = shape(window, [ModelUse("m", NANO, True, 0)], [], rows, {"m": 1})
    drawn = chart(spend, currency="USD")
    assert (len(drawn["labels"]), drawn["labels"][0]) == (731, "23 Nov 2024")
    (week,) = drawn["weeks"]["series"]
    assert len(week["values"]) == len(drawn["weeks"]["labels"]) == 105
    assert week["values"][-1] == round(sum(row.cost for row in rows[723:730]) / NANO, 2) == 2.33  # not 7 × 0.33
    assert spend.table[0]["day"] == "Mon 23 Nov 2026"
    month = window_of({}, datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("UTC")), ZoneInfo("UTC"))
    assert chart(shape(month, [], [], [], {}), currency="USD")["weeks"] is None
