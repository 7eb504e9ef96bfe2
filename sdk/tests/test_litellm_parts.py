"""The parts of the LiteLLM plugin that need no LiteLLM; the plugin in a real proxy is tested by make test-litellm."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace as Object

import pytest
from tokenops_sdk import Prepared, decide_prepared
from tokenops_sdk.asking import Decision, Model, Reason, Request, RunSoFar
from tokenops_sdk.litellm.asking import as_slug, capped, context_of, described, operation_of, request_of, tag_pairs
from tokenops_sdk.litellm.groups import Groups
from tokenops_sdk.litellm.payload import event_of, identity, named
from tokenops_sdk.litellm.refusing import detail_of, header, headers_of, status_of
from tokenops_sdk.litellm.runs import Runs
from tokenops_sdk.litellm.streams import Stream, ending
from vectors import document

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)

PAYLOAD = {
    "id": "chatcmpl-1", "litellm_call_id": "call-1", "call_type": "acompletion", "status": "success",
    "startTime": 1772445598.75, "endTime": 1772445600.25, "model": "openai/gpt-4o-mini", "model_group": "small",
    "custom_llm_provider": "openai", "prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16,
    "metadata": {"user_api_key_request_route": "/v1/chat/completions", "usage_object": {"prompt_tokens": 11}},
    "response": {"model": "large"}, "request_tags": ["User-Agent: curl", "campaign:spring"], "trace_id": "random",
}  # fmt: skip


def decision(action="allow", *reasons, **changes):
    plain = {
        "action": action, "workflow": "seo", "tier": 2, "default_tier": 2, "provider": "openai", "model": "gpt-4o",
        "fallbacks": (), "review": False, "max_output_tokens": None, "cache": (), "similarity_floor": None,
        "fresh_seconds": None, "batch": False, "grant_id": None, "per_minute": None, "leases": (),
        "estimated_cost_nano": None, "reasons": reasons, "changes": (), "revision": "1:42", "policy_version": 7,
    }  # fmt: skip
    return Decision(**plain | changes)


# What LiteLLM's payload says


def test_behind_a_proxy_the_model_is_the_deployments_and_runs_are_what_the_caller_names():
    """The proxy writes what the caller asked for into the response, and makes up a trace for each call."""
    event = event_of(PAYLOAD)
    assert (event["provider"], event["model"], event["requested_model"]) == ("openai", "gpt-4o-mini", "small")
    assert event["run_id"] is None
    assert event["tags"] == {"campaign": "spring"}
    without = event_of(PAYLOAD | {"metadata": {}})
    assert (without["model"], without["run_id"]) == ("large", "random")


def test_two_failures_of_one_call_are_two_events_and_one_sent_again_is_the_same():
    failure = PAYLOAD | {"status": "failure", "id": "call-1"}
    later = failure | {"startTime": 1772445599.5}
    assert identity(failure) == "call-1:failure:call-1:1772445598.75"
    assert identity(later) != identity(failure)
    assert identity(PAYLOAD) == "call-1:success:chatcmpl-1"
    assert len(identity(PAYLOAD | {"id": "resp_" + "x" * 400})) <= 128


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("openai/gpt-4o", "openai", ("openai", "gpt-4o")),
        ("anthropic/claude-opus-4-1", "", ("anthropic", "claude-opus-4-1")),
        ("vertex_ai/gemini-2.5-pro", "vertex_ai", ("google", "gemini-2.5-pro")),
        ("bedrock/converse/anthropic.claude", "bedrock", ("aws", "converse/anthropic.claude")),
        ("meta-llama/llama-3", "together_ai", ("together", "meta-llama/llama-3")),
        ("gpt-4o", "", ("", "gpt-4o")),
    ],
)
def test_names_are_put_into_the_price_books_words(model, provider, expected):
    assert named(model, provider) == expected


def test_a_client_that_went_away_and_a_refusal_of_the_plugin_are_told_apart_from_errors():
    gone = event_of(PAYLOAD | {"error_information": {"error_code": "499"}})
    refused = event_of(PAYLOAD | {"status": "failure", "error_information": {"error_class": "TokenOpsRefusal"}})
    assert (gone["status"], refused["status"]) == ("cancelled", "blocked")


# What the caller says


def test_the_key_goes_before_headers_these_before_metadata_and_that_before_tags():
    said = [{"workflow": "by-metadata", "stage": "draft", "step": "2"}]
    found = described({"X-TokenOps-Workflow": "By Header"}, said, ["workflow:by-tag", "domain:b2b"])
    assert (found["workflow"], found["stage"], found["step"], found["domain"]) == ("by-header", "draft", 2, "b2b")
    assert described({"x-tokenops-workflow": "x"}, said, (), {"workflow": "by-key"})["workflow"] == "by-key"


def test_the_run_that_a_header_names_is_the_one_that_is_stopped():
    stop = {"scope": {"workflow": "seo", "run": "r-17"}, "code": "run_stopped", "reason": "Loops.", "until": None}
    policy = Prepared({**document("agency"), "blocked": [stop]})
    for run, status in (("r-17", 403), ("r-18", None)):
        said = described({"X-TokenOps-Workflow": "SEO", "X-TokenOps-Run-Id": run}, [])
        answer = decide_prepared(policy, request_of({"messages": []}, said, "chat", "openai", "mini"), NOW)
        assert answer.allowed is (status is None)
        assert answer.allowed or status_of(answer) == status


def test_what_cannot_be_read_is_left_out():
    said = [{"step": "third", "complexity": "high", "context": "{", "run": "[1]", "tier": True, "workflow": "☃"}]
    assert described({}, said) == {}
    assert described({}, [None, "text", {"complexity": "0.4"}]) == {"complexity": "0.4"}


@pytest.mark.parametrize(("name", "slug"), [("SEO briefs", "seo-briefs"), ("-a_b.", "a_b"), ("x" * 200, "x" * 128)])
def test_a_workflows_name_is_put_into_its_letters(name, slug):
    assert as_slug(name) == slug


def test_injected_tags_are_dropped_and_bare_words_kept():
    assert tag_pairs(["User-Agent: python", "beta", "a:b:c", ":x"]) == {"beta": "yes", "a": "b:c"}


def test_context_is_estimated_by_layer():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    data = {
        "messages": [
            {"role": "system", "content": "s" * 40},
            {"role": "user", "content": "h" * 80},
            {"role": "assistant", "content": "h" * 8},
            {"role": "user", "content": [{"type": "text", "text": "u" * 20}, picture]},
        ],
        "tools": [{"type": "function", "function": {"name": "t" * 12}}],
    }  # fmt: skip
    assert context_of(data) == {"system": 10, "history": 22, "user": 5, "tools": 3}
    assert context_of({"input": "i" * 9, "instructions": "s" * 4}) == {"system": 1, "user": 3}


def test_the_question_counts_all_copies_of_an_answer():
    request = request_of({"max_tokens": 100, "n": 3, "messages": []}, {"attempt": 0}, "chat", "openai", "gpt-4o")
    assert (request.max_output_tokens, request.attempt) == (300, 1)


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        ({}, "acompletion", {"max_tokens": 60}),
        ({}, "aresponses", {"max_output_tokens": 60}),
        ({"max_completion_tokens": 900}, "acompletion", {"max_completion_tokens": 60}),
        ({"max_tokens": 9, "max_completion_tokens": 90}, "completion", {"max_tokens": 9, "max_completion_tokens": 60}),
        ({"n": 4}, "acompletion", {"n": 4, "max_tokens": 15}),
        ({}, "aembedding", {}),
    ],
)  # fmt: skip
def test_caps_are_set_under_the_name_in_use(before, kind, after):
    data = dict(before)
    capped(data, 60, kind)
    assert data == after


def test_only_model_calls_are_asked_about():
    assert operation_of("anthropic_messages") == operation_of("aresponses") == operation_of("completion") == "chat"
    assert operation_of("aembedding") == "embedding"
    assert operation_of("call_mcp_tool") is operation_of("") is operation_of(None) is None


# What is told


def test_a_refusal_names_every_reason_and_how_soon_to_come_again():
    used_up = Reason("budget_exhausted", "block", {"name": "SEO"}, "The budget “SEO” is used up.")
    told = detail_of(decision("block", used_up, Reason("rule", "allow", {}, "The rule fits.")))
    assert (told["error"], told["code"], len(told["reasons"])) == (
        "The budget “SEO” is used up.",
        "budget_exhausted",
        2,
    )
    assert status_of(decision("block", used_up)) == 429
    paused = Reason("workflow_paused", "block", {}, "Stopped.")
    assert status_of(decision("block", used_up, paused)) == 403
    assert status_of(decision("require_approval", Reason("approval_needed", "require_approval", {}, "…"))) == 403


def test_a_cap_below_one_is_none():
    """Else a call would be estimated to give money back."""
    for odd in (-1_000_000_000, 0, True, "5"):
        asked = request_of({"max_tokens": 100, "max_output_tokens": odd}, {}, "chat", "openai", "small")
        assert asked.max_output_tokens == 100
        assert request_of({"max_tokens": odd}, {}, "chat", "openai", "small").max_output_tokens is None


def test_what_is_nested_deeply_is_measured_too():
    """Else whoever calls could bring about a fault, after which the fail mode may let the call pass."""
    deep = "four"
    for _ in range(2000):
        deep = [{"content": deep}]
    assert context_of({"messages": [{"role": "user", "content": deep}], "tools": deep}) == {"user": 1, "tools": 1}


def test_headers_hold_no_line_break_and_plain_letters_only():
    assert header("a\r\nx-evil: 1 “é” 5%") == "a%0D%0Ax-evil: 1 %E2%80%9C%C3%A9%E2%80%9D 5%25"
    lowered = decision("downgrade", Reason("tier_lowered", "downgrade", {}, "Lowered."), max_output_tokens=50)
    assert headers_of(lowered, "large") == {
        "x-tokenops-action": "downgrade", "x-tokenops-workflow": "seo", "x-tokenops-model": "openai/gpt-4o",
        "x-tokenops-requested-model": "large", "x-tokenops-tier": "2", "x-tokenops-max-output-tokens": "50",
        "x-tokenops-reasons": "tier_lowered", "x-tokenops-text": "Lowered.", "x-tokenops-revision": "1:42",
    }  # fmt: skip


# Runs, groups, streams


def test_a_run_counts_what_passed_here_or_what_the_caller_says_if_that_is_more():
    runs = Runs(most=2)
    request = Request(workflow="seo", run_id="one", step_kind="tool", run=RunSoFar(steps=1, tokens=500))
    runs.began(request)
    runs.began(Request(workflow="seo", run_id="one", step_kind="tool", attempt=2))
    runs.ended(request, 100, 7)
    assert runs.so_far(request) == RunSoFar(2, {"tool": 1}, 500, 7)
    for name in ("two", "three"):
        runs.began(Request(workflow="seo", run_id=name))
    assert runs.so_far(Request(workflow="seo", run_id="one")) == RunSoFar()
    assert runs.so_far(Request(workflow="other", run_id="three")) == RunSoFar()


def test_groups_find_the_model_behind_a_name_and_a_name_for_a_model():
    deployments = [
        {"model_name": "small", "litellm_params": {"model": "openai/gpt-4o-mini"}},
        {"model_name": "cheap", "litellm_params": {"model": "openai/gpt-4o-mini"}},
        {"model_name": "ours", "litellm_params": {"model": "azure/dep-7"}, "model_info": {"tokenops_model": "gpt-4o"}},
        {"model_name": "gemini/*", "litellm_params": {"model": "gemini/*"}},
    ]
    groups = Groups(lambda: (deployments, {"alias": "small"}))
    assert groups.behind("small") == groups.behind("alias") == Model("openai", "gpt-4o-mini")
    assert groups.behind("ours") == Model("azure", "gpt-4o")
    assert groups.having(Model("openai", "gpt-4o-mini")) == "small"
    assert groups.having(Model("openai", "gpt-4o-mini"), preferred="cheap") == "cheap"
    assert groups.having(Model("google", "gemini-2.5-pro")) == "gemini/gemini-2.5-pro"
    assert groups.having(Model("mistral", "large")) is None


def words(text):
    return len(text.split())


def chat(text="", usage=None):
    return Object(id="c", choices=[Object(delta=Object(content=text))], usage=usage)


def test_a_stream_is_too_long_only_beyond_its_cap():
    stream = Stream(3, words)
    for piece in ("one ", "two ", "three "):
        stream.take(chat(piece))
        assert not stream.is_too_long
    stream.take(chat())  # the provider ends it at the cap by itself, and says what it came to
    assert not stream.is_too_long
    stream.take(chat("four "))
    assert stream.is_too_long
    roomy = Stream(30, words, exact=False)
    roomy.take(chat("word " * 33))
    assert not roomy.is_too_long
    roomy.take(chat("word"))
    assert roomy.is_too_long


def test_tokens_are_counted_only_when_they_might_be_too_many():
    counted = []
    stream = Stream(1000, lambda text: counted.append(len(text)) or len(text) // 4)
    for _ in range(3900):
        stream.take(chat("x"))
        assert not stream.is_too_long
    assert len(counted) < 40


def test_anthropics_events_are_read_from_bytes_and_what_it_says_goes_before_what_is_counted():
    stream = Stream(None, words)
    usage = {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1}
    stream.take(b"data: " + json.dumps({"message": {"id": "m", "usage": usage}}).encode() + b"\n\n")
    stream.take(b'data: {"index": 1, "delta": {"text": "one two"}}\n\ndata: nonsense\n\n')
    assert (stream.input_tokens, stream.output_tokens, stream.index) == (7, 2, 1)
    stream.take(b'data: {"usage": {"output_tokens": 9}}\n\n')
    assert stream.output_tokens == 9
    assert b'"stop_reason": "max_tokens"' in ending(stream, "Cut.", "m", 1)
