"""What the simulated gateway reads out of a bundle, and how it says what changed."""

from typing import Any

import pytest

from reports.demo.gateway import falls_under, news, standing


def budget(slug: str, **changes: Any) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug.title(),
        "scope": {"workflow": slug},
        "status": "under",
        "on_exhausted": "alert",
        "settings": {},
        "remaining_percent": 60,
        **changes,
    }


def document(*budgets: dict[str, Any], blocked: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    entries = [{"scope": scope, "code": "budget_exhausted", "reason": "used up", "until": None} for scope in blocked]
    return {"budgets": list(budgets), "blocked": entries}


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        ({}, True),
        ({"workflow": "ads"}, True),
        ({"workflow": "ads", "team": "brand"}, False),
        ({"tier": "2"}, True),
        ({"tag": "brand=kids"}, True),
        ({"tag": "brand=outlet"}, False),
        ({"customer": "nobody"}, False),
        ({"workflow": "ads", "run": "r-17"}, True),
        ({"workflow": "ads", "run": "r-18"}, False),
        ({"workflow": "ads", "of_a_later_version": "x"}, False),
    ],
)
def test_a_call_falls_under_a_scope_when_it_has_all_of_it(scope: dict[str, str], inside: bool) -> None:
    call = {"workflow": "ads", "team": "support", "tier": 2, "tags": {"brand": "kids"}, "run_id": "r-17"}
    assert falls_under(scope, call) is inside


def test_without_a_bundle_everything_goes_on() -> None:
    assert standing(None, {"workflow": "ads"}).blocked == ""


def test_a_blocked_scope_stops_its_calls_only() -> None:
    bundle = document(blocked=({"workflow": "ads"},))
    assert standing(bundle, {"workflow": "ads"}).blocked == "budget_exhausted"
    assert standing(bundle, {"workflow": "briefs"}).blocked == ""


def test_an_exhausted_budget_downgrades_only_where_it_says_so() -> None:
    bundle = document(
        budget("ads", status="exhausted", on_exhausted="downgrade", settings={"tier": 1}),
        budget("briefs", status="exhausted"),
        budget("blog", on_exhausted="downgrade", settings={"tier": 1}),
    )
    assert [standing(bundle, {"workflow": slug}).tier for slug in ("ads", "briefs", "blog")] == [1, None, None]


def test_news_are_what_changed_in_words() -> None:
    before = document(budget("ads"), budget("blog"), blocked=({"workflow": "blog"},))
    after = document(
        budget("ads", status="exhausted"),
        budget("blog", status="warning", remaining_percent=15),
        budget("new", status="exhausted"),
        blocked=({"workflow": "ads"}, {"team": "brand"}),
    )
    assert news(before, after) == [
        "Ads is blocked (used up)",
        "team brand is blocked (used up)",
        "Blog may call again",
        "the budget Ads has run out",
        "the budget Blog has 15% left or less",
    ]
    assert news(after, after) == []
    assert news(None, document(budget("ads"), blocked=({},))) == ["everything is blocked (used up)"]
