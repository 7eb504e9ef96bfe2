"""What a run is after all that was said of it. Pure."""

import random
from datetime import timedelta
from decimal import Decimal

from usage.outcomes.state import Standing, Told, standing
from usage.tests.events import NOW


def told(n: int, outcome: str, minutes: int = 0, **more) -> Told:
    return Told(n, NOW + timedelta(minutes=minutes), outcome, **more)


def test_nothing_said_is_an_open_run():
    assert standing([]) == Standing()


def test_the_last_decision_holds_and_sums_are_of_all():
    messages = [
        told(1, "reworked", 0, reviewer="ann", review_minutes=Decimal("4.5"), satisfaction=Decimal(2)),
        told(2, "approved", 60, reviewer="bob", review_minutes=Decimal(3), revenue=7, asset="a", misrouted=True),
        told(3, "shipped", 90, satisfaction=Decimal("4.25"), minutes_saved=Decimal(30), cases=2, misrouted=False),
    ]
    found = standing(messages)
    assert found == Standing(
        outcome="shipped", reworks=1, reviews=2, duplicates=0, reviewer="bob", review_minutes=Decimal("7.5"), timed=2,
        scored=2, satisfaction=Decimal("6.25"), misrouted=False, revenue=7, minutes_saved=Decimal(30), cases=2,
        asset="a",
    )  # fmt: skip
    for _ in range(5):
        assert standing(random.sample(messages, 3)) == found, "the order of arrival does not matter"


def test_of_two_at_the_same_moment_the_one_that_came_later_holds():
    assert standing([told(8, "rejected"), told(7, "approved")]).outcome == "rejected"


def doubled(*messages: Told) -> set[int]:
    return set(standing(messages).duplicate_ids)


def test_a_second_review_by_the_same_reviewer_is_a_duplicate_whenever_it_is():
    assert doubled(told(1, "approved", reviewer="ann"), told(2, "approved", 9999, reviewer="ann")) == {2}
    assert doubled(told(1, "rejected", reviewer="ann"), told(2, "approved", 9999, reviewer="ann")) == {2}


def test_after_it_was_sent_back_a_review_is_a_new_one():
    assert not doubled(told(1, "reworked", reviewer="ann"), told(2, "approved", 5, reviewer="ann"))
    again = told(3, "approved", 900, reviewer="ann")
    assert doubled(told(1, "reworked", reviewer="ann"), told(2, "approved", 5, reviewer="ann"), again) == {3}


def test_two_reviewers_within_half_an_hour_are_one_too_many():
    ann = told(1, "approved", reviewer="ann")
    assert doubled(ann, told(2, "approved", 30, reviewer="bob")) == {2}
    assert not doubled(ann, told(2, "approved", 31, reviewer="bob")), "a second opinion"
    assert doubled(told(1, "reworked", reviewer="ann"), told(2, "reworked", 10, reviewer="bob")) == {2}


def test_shipping_is_no_review_and_nobody_is_nobodys_double():
    assert not doubled(told(1, "approved", reviewer="ann"), told(2, "shipped", 1, reviewer="ann"))
    assert not doubled(told(1, "approved"), told(2, "approved", 1))
