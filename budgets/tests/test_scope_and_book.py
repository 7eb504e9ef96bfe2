import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits import book, scope
from budgets.limits.book import BudgetBook, BudgetRef
from budgets.models import Budget

values = st.sampled_from(["", "a", "b"])
tags = st.dictionaries(st.sampled_from(["k", "j"]), st.sampled_from(["a", "b", "a=b"]), max_size=2)
scopes = st.fixed_dictionaries(
    {},
    optional={
        "team": st.sampled_from(["a", "b"]),
        "workflow": st.sampled_from(["a", "b"]),
        "user": st.sampled_from(["a"]),
        "tier": st.sampled_from(["1", "2"]),
        "tag": st.sampled_from(["k=a", "j=a=b"]),
    },
)


def holds(wanted: dict[str, str], attributes: dict[str, str], given_tags: dict[str, str]) -> bool:
    for dimension, value in wanted.items():
        if dimension == "tag":
            tag_key, tag_value = scope.split_tag(value)
            if given_tags.get(tag_key) != tag_value:
                return False
        elif attributes.get(dimension, "") != value:
            return False
    return True


@given(
    st.lists(scopes, max_size=8),
    st.lists(st.tuples(st.dictionaries(st.sampled_from(scope.DIMENSIONS[:-1]), values), tags | st.none()), max_size=12),
)
def test_a_call_counts_against_every_budget_whose_whole_scope_holds(wanted, calls):
    found = BudgetBook(1, [(n, "money", one) for n, one in enumerate(wanted)])
    for attributes, given_tags in calls + calls:
        expected = tuple(
            BudgetRef(n, "money") for n, one in enumerate(wanted) if holds(one, attributes, given_tags or {})
        )
        assert found.match(attributes, given_tags) == expected


def test_what_no_budget_uses_is_no_part_of_the_memory(monkeypatch):
    one = BudgetBook(7, [(1, "money", {"team": "growth"}), (2, "calls", {"tag": "campaign=spring"})])
    assert one.dimensions == ("team",) and one.tag_keys == ("campaign",)
    for n in range(100):
        one.match({"team": "growth", "user": str(n)}, {"other": str(n)})
    assert len(one._remembered) == 1
    monkeypatch.setattr(book, "MAX_REMEMBERED", 10)
    for n in range(1000):
        assert one.match({"team": str(n)}, {"campaign": "spring"}) == (BudgetRef(2, "calls"),)
        assert len(one._remembered) <= 10


@pytest.mark.django_db
def test_the_book_holds_active_and_paused_budgets_and_is_read_once_per_generation(django_assert_num_queries):
    book.forget()
    for n, status in enumerate(Budget.Status.values):
        Budget.objects.create(slug=f"b{n}", name=f"B{n}", amount=1, status=status, scope={"team": "growth"})
    with django_assert_num_queries(1):
        first = book.current(41)
        assert book.current(41) is first
    ids = {ref.id for ref in first.match({"team": "growth"}, None)}
    assert ids == set(Budget.objects.exclude(status="archived").values_list("id", flat=True))
    with django_assert_num_queries(1):
        assert book.current(42) is not first
    book.forget()


def test_a_scope_has_one_written_form_and_reads_as_words():
    assert list(scope.clean({"tag": " campaign=spring ", "tier": 3, "team": "", "workflow": "seo"})) == [
        "workflow",
        "tier",
        "tag",
    ]
    assert scope.in_words({}) == "Whole company"
    assert scope.in_words({"team": "growth", "model": "gpt-5"}) == "Team growth, model gpt-5"
    assert scope.in_words({"team": "growth"}, {("team", "growth"): "Growth & Web"}) == "Team Growth & Web"
    assert scope.in_words({"tag": "campaign=spring=late"}) == "Campaign spring=late"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"planet": "x"}, "cannot cover"),
        ({"team": ["a"]}, "plain text"),
        ({"team": "a\0b"}, "plain text"),
        ({"team": "x" * 129}, "too long"),
        ({"tag": "campaign"}, "name=value"),
        ({"tag": "=spring"}, "name=value"),
        ({"tier": "premium"}, "number"),
        ({"tier": 0}, "number"),
        ({"tier": True}, "plain text"),
    ],
)
def test_a_scope_that_makes_no_sense_is_said_so(written, says):
    assert says in scope.problem_with(written)
    assert scope.problem_with({"team": "growth", "tier": 2, "tag": "a=b=c", "user": ""}) is None
