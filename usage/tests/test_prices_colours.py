"""A model keeps its colour: at first sight by use, never changed, distinct in one chart, whoever looks at once."""

import pytest

from budgets.tests.made import at_once
from usage.models import ModelColour
from usage.prices.colours import apart, colours_of


@pytest.mark.django_db
def test_the_most_used_get_the_five_colours_in_order_and_keep_them() -> None:
    first = colours_of(["a", "b", "c", "d", "e"])
    assert first == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert colours_of(["e", "a"]) == {"e": 5, "a": 1}
    assert colours_of(["c"]) == {"c": 3}


@pytest.mark.django_db
def test_a_newcomer_takes_a_colour_that_nobody_beside_it_has() -> None:
    colours_of(["a", "b", "c", "d", "e"])
    assert colours_of(["new", "a", "b", "c", "e"])["new"] == 4  # d is not shown
    assert colours_of(["newer", "new"])["newer"] == 1  # the least given of those free here
    # Where two of one colour meet, the one known longer keeps its own; apart from that chart both have theirs.
    assert colours_of(["new", "d"]) == {"d": 4, "new": 1}
    assert colours_of(["new"]) == {"new": 4}


@pytest.mark.django_db
def test_one_statement_for_known_models(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    colours_of(["a", "b", "c", "d", "e"])
    with django_assert_num_queries(1):
        colours_of(["e", "d", "c", "b", "a", "f", "g"])
    assert ModelColour.objects.count() == 5


def test_apart_never_gives_one_colour_twice() -> None:
    kept = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2}
    given = apart(["e", "d", "c", "b", "a"], kept)
    assert sorted(given.values()) == [1, 2, 3, 4, 5]
    assert (given["a"], given["d"]) == (1, 2)
    assert apart([], {}) == {}


@pytest.mark.django_db(transaction=True)
def test_two_pages_at_once_give_the_same_colours() -> None:
    results = at_once(*[lambda: colours_of(["a", "b", "c"])] * 4)
    assert results == [{"a": 1, "b": 2, "c": 3}] * 4
    assert ModelColour.objects.count() == 3
