"""One value, one text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from routing.bundle.canonical import MAX_WHOLE, NotCanonical, canonical, exact

TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = some.none() | some.booleans() | some.integers(-MAX_WHOLE, MAX_WHOLE) | TEXT
VALUES = some.recursive(
    PLAIN, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


def test_the_text_of_the_standard():
    """RFC 8785 section 3.2.3: keys by UTF-16 code units, the emoji (a surrogate pair) before U+FB33."""
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert [*json.loads(canonical(keys))] == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_no_blanks_and_utf_8():
    assert (
        canonical({"b": [1, True, None], "a": 'é\n\x1f\x7f/"'})
        == '{"a":"é\\n\\u001f\x7f/\\"","b":[1,true,null]}'.encode()
    )


@given(VALUES)
def test_it_reads_back_and_is_stable(value):
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize(
    "value", [1.0, {"a": [0.5]}, float("nan"), MAX_WHOLE + 1, {1: 2}, b"x", {"a": object()}, "\ud800"]
)
def test_what_has_no_one_text_is_refused(value):
    with pytest.raises(NotCanonical):
        canonical(value)


@given(some.recursive(PLAIN | some.floats(allow_nan=False) | some.integers(), some.lists, max_leaves=9))
def test_exact_makes_any_json_fit(value):
    canonical(exact(value))


def test_exact_keeps_the_figure_that_was_written():
    assert exact({"floor": 0.85, "n": 3, "big": 2**60, "flag": True}) == {
        "floor": "0.85", "n": 3, "big": str(2**60), "flag": True,
    }  # fmt: skip
