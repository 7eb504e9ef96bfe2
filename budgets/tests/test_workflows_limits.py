"""The table of limits: what each may hold, what is refused with which sentence, how it reads."""

import pytest

from budgets.workflows.guardrails import BY_NAME, COUNTED, LIMITS, in_words, known, problems_with, tidied

FULL = {
    "max_output_tokens": 2000,
    "max_input_tokens": 50_000,
    "max_history_tokens": 0,
    "max_retrieved_chunks": 8,
    "max_retrieval_tokens": 4000,
    "max_tools_exposed": 1,
    "max_run_money": "2.50",
    "max_run_tokens": 400_000,
    "max_run_steps": 12,
    "max_steps_by_kind": {"troubleshoot": 2, "retrieve": 3},
    "max_attempts_per_step": 3,
    "max_requests_per_minute": 60,
    "daily_tokens": {"production": 2_000_000},
    "cache": {"kinds": ["semantic", "prompt"], "similarity_floor": "0.920", "fresh_seconds": 86_400},
    "human_review": ["public", "irreversible", "public"],
    "allowed_providers": ["openai"],
    "allowed_models": ["gpt-4.1", "gpt-4.1-mini"],
    "by_task_type": {"extraction": {"max_output_tokens": 500}, "empty": {}},
}


def test_every_limit_is_allowed_together_and_has_one_written_form():
    assert set(FULL) == {*BY_NAME, "by_task_type"}
    assert problems_with(FULL) == {}
    tidy = tidied(FULL)
    assert tidied(tidy) == tidy and problems_with(tidy) == {}
    assert tidy["max_run_money"] == "2.5"
    assert list(tidy["max_steps_by_kind"]) == ["retrieve", "troubleshoot"]
    assert tidy["cache"] == {"kinds": ["prompt", "semantic"], "similarity_floor": "0.92", "fresh_seconds": 86_400}
    assert tidy["human_review"] == ["irreversible", "public"]
    assert tidy["by_task_type"] == {"extraction": {"max_output_tokens": 500}}
    assert known(tidy) == tidy


def test_the_table_says_how_each_is_counted():
    assert {limit.counted for limit in LIMITS} == set(COUNTED)
    shared = {limit.name for limit in LIMITS if limit.counted == "shared"}
    assert shared == {"max_requests_per_minute", "daily_tokens"}


@pytest.mark.parametrize(
    ("guardrails", "path", "says"),
    [
        ({"max_speed": 3}, "max_speed", "There is no limit called “max_speed”"),
        ({"max_output_tokens": 0}, "max_output_tokens", "a whole number of tokens from 1 to 100,000,000"),
        ({"max_output_tokens": True}, "max_output_tokens", "whole number"),
        ({"max_output_tokens": 1.5}, "max_output_tokens", "whole number"),
        ({"max_run_money": 2}, "max_run_money", "for example “2.50”"),
        ({"max_run_money": "0"}, "max_run_money", "above zero"),
        ({"max_run_money": "1e3"}, "max_run_money", "above zero"),
        ({"max_run_money": "1000001"}, "max_run_money", "at most 1,000,000"),
        ({"max_steps_by_kind": {"retrieve": -1}}, "max_steps_by_kind", "retrieve: Give a whole number of steps"),
        ({"max_steps_by_kind": {"a,b": 1}}, "max_steps_by_kind", "without commas"),
        ({"max_steps_by_kind": [3]}, "max_steps_by_kind", "Give an object"),
        ({"daily_tokens": {"production": 0}}, "daily_tokens", "production: Give a whole number of tokens from 1"),
        ({"cache": {"kinds": ["disk"]}}, "cache", "Choose the kinds of cache from: prompt"),
        ({"cache": {"floor": "1"}}, "cache", "no setting “floor”"),
        ({"cache": {"similarity_floor": "1.01"}}, "cache", "share above 0, at most 1"),
        ({"cache": {"fresh_seconds": 0}}, "cache", "whole seconds"),
        ({"cache": "yes"}, "cache", "Give an object"),
        ({"human_review": "public"}, "human_review", "Give a list"),
        ({"allowed_models": ["x" * 129]}, "allowed_models", "1 to 128 characters"),
        ({"max_input_tokens": 10, "max_history_tokens": 11}, "max_history_tokens", "cannot be larger"),
        ({"by_task_type": {"x": {"by_task_type": {}}}}, "by_task_type.x.by_task_type", "There is no limit"),
        ({"by_task_type": {"": {}}}, "by_task_type", "named wrongly"),
        ({"by_task_type": {"x": 3}}, "by_task_type.x", "Give an object of limits"),
        ({"by_task_type": 3}, "by_task_type", "Give an object of task types"),
        ({"by_task_type": {str(n): {} for n in range(21)}}, "by_task_type", "at most 20 task types"),
        (
            {"max_input_tokens": 10, "by_task_type": {"x": {"max_history_tokens": 11}}},
            "by_task_type.x.max_history_tokens",
            "cannot be larger",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(guardrails, path, says):
    found = problems_with(guardrails)
    assert list(found) == [path]
    assert says in found[path] and found[path].endswith(".")


@pytest.mark.parametrize("junk", [None, 5, "x", [1]])
def test_what_is_no_object_is_refused(junk):
    assert "guardrails" in problems_with(junk)


def test_a_sensitive_workflow_names_no_cache():
    allowed = {"cache": {"kinds": ["prompt"]}}
    assert "never answered from a cache" in problems_with(allowed, ("sensitive",))["cache"]
    assert problems_with({"cache": {"kinds": []}}, ("sensitive",)) == {}
    nested = problems_with({"by_task_type": {"chat": allowed}}, ("sensitive",))
    assert list(nested) == ["by_task_type.chat.cache"]


def test_limits_read_as_sentences():
    said = [(one.task_type, one.words) for one in in_words(tidied(FULL))]
    assert ("", "Answers have at most 2,000 tokens.") in said
    assert ("", "A call is offered at most 1 tool.") in said
    assert ("", "A run may cost at most $2.50.") in said
    assert ("", "Of its steps, at most 3 steps in retrieve and 2 steps in troubleshoot.") in said
    assert ("", "A person reviews what is irreversible or public.") in said
    cache = (
        "May come from a cache: prompt or similar question; questions at least 92% alike; answers at most 1 day old."
    )
    assert ("", cache) in said
    assert said[-1] == ("extraction", "Answers have at most 500 tokens.")
    assert in_words({"cache": {"kinds": []}})[0].words == "Nothing comes from a cache."
    assert in_words({"nonsense": 1, "max_run_steps": "many"}) == []
