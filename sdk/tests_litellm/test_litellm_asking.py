"""What the plugin asks and how it refuses, on a real proxy: each of LiteLLM's traps before a call."""

import pytest

from sdk.tests_litellm.office import budget, model, paused, tier, workflow


def test_an_allowed_call_passes_as_it_is_and_is_counted_once(gateway):
    answer = gateway.chat("middle", metadata={"workflow": "seo", "run_id": "run-1", "stage": "draft"}, user="ana")
    assert (answer.status, answer.body["choices"][0]["message"]["content"]) == (200, "one two three four five")
    assert answer.headers["x-tokenops-action"] == "allow"
    assert answer.headers["x-tokenops-model"] == "openai/gpt-4o"
    event = gateway.event(status="ok")
    expected = {
        "workflow": "seo", "run_id": "run-1", "stage": "draft", "user": "ana", "provider": "openai", "model": "gpt-4o",
        "requested_model": "middle", "tier": 2, "default_tier": 2, "input_tokens": 11, "output_tokens": 5,
        "operation": "chat",
    }  # fmt: skip
    assert expected.items() <= event.items()
    assert event["bundle_revision"] == gateway.office.revision
    assert "tags" not in event  # LiteLLM adds the caller's program to the request's tags


def test_a_paused_workflow_is_refused_with_a_sentence_and_recorded_as_blocked_once(gateway):
    gateway.obey(workflows={"seo": workflow(paused=True)}, blocked=[paused("seo", "It ran wild.")])
    answer = gateway.chat("middle", metadata={"workflow": "seo"}, user="ana")
    assert answer.status == 403
    assert answer.body["error"]["message"] == "Calls of the workflow seo are stopped. It ran wild."
    assert answer.error["code"] == "workflow_paused"
    assert answer.error["changes"] == [{"kind": "resume"}]
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-tokenops-action"] == "block"
    event = gateway.event(status="blocked")
    assert (event["workflow"], event["user"], event["model"]) == ("seo", "ana", "gpt-4o")
    gateway.chat("middle", metadata={"workflow": "seo-2"})  # LiteLLM tells of the refusal as of a failure, before this
    gateway.event(status="ok")
    assert len(gateway.events()) == 2, gateway.events()
    assert [one.path for one in gateway.provider.served] == ["/v1/chat/completions"]


def test_a_budget_that_is_used_up_is_429_with_when_it_begins_anew(gateway):
    gateway.obey(budgets=[budget("seo-month", "block", exhausted=True, scope={"workflow": "seo"})])
    answer = gateway.chat("middle", metadata={"workflow": "seo"})
    assert answer.status == 429
    assert answer.body["error"]["message"] == "The budget “Seo Month” is used up."
    assert int(answer.headers["retry-after"]) > 0
    assert gateway.provider.served == []


def test_what_needs_an_approval_is_refused_in_words_for_people(gateway):
    gateway.obey(workflows={"seo": workflow(default_tier=3)})
    answer = gateway.chat("large", metadata={"workflow": "seo"})
    assert answer.status == 403
    assert "need an approval, and there is none for this call." in answer.body["error"]["message"]
    assert {"kind": "grant", "tier": 3} in answer.error["changes"]


FREE_TO_ASK = [
    tier(1, model("openai", "gpt-4o-mini")),
    tier(2, model("openai", "gpt-4o")),
    tier(3, model("anthropic", "claude-opus-4-1")),
]
REPLACES = {"version": 3, "unlisted_models": "replace", "rules": [], "otherwise": {}, "daily_tokens": {}}


def test_a_lowered_call_is_served_by_another_model_and_says_so_in_headers(gateway):
    gateway.obey(tiers=FREE_TO_ASK)
    answer = gateway.chat("large", metadata={"workflow": "seo"})
    assert answer.status == 200
    assert answer.body["model"] == "large"  # the trap: the answer names what was asked for
    assert gateway.provider.last().body["model"] == "gpt-4o"
    said = {
        name[len("x-tokenops-") :]: value for name, value in answer.headers.items() if name.startswith("x-tokenops-")
    }
    assert (said["action"], said["model"], said["requested-model"], said["tier"]) == (
        "downgrade", "openai/gpt-4o", "large", "2",
    )  # fmt: skip
    assert "tier_lowered" in said["reasons"]
    event = gateway.event(status="ok")
    assert (event["model"], event["requested_model"], event["tier"]) == ("gpt-4o", "large", 2)


def test_a_lowered_stream_says_so_too(gateway):
    gateway.obey(tiers=FREE_TO_ASK)
    answer = gateway.chat("large", metadata={"workflow": "seo"}, stream=True)
    assert answer.headers["x-tokenops-action"] == "downgrade"
    assert answer.headers["x-tokenops-model"] == "openai/gpt-4o"
    assert gateway.event(status="ok")["output_tokens"] == 5


def test_a_model_that_this_proxy_does_not_have_is_replaced_within_the_tier_or_refused(gateway):
    tiers = [tier(1, model("openai", "gpt-4o-mini")), tier(2, model("mistral", "large-3"), model("openai", "gpt-4o"))]
    gateway.obey(tiers=tiers, policy=REPLACES)
    answer = gateway.chat("large", metadata={"workflow": "seo"})
    assert (answer.status, answer.headers["x-tokenops-model"]) == (200, "openai/gpt-4o")
    tiers = [tier(1, model("openai", "gpt-4o-mini")), tier(2, model("mistral", "large-3"))]
    gateway.obey(tiers=tiers, policy=REPLACES)
    answer = gateway.chat("large", metadata={"workflow": "seo"})
    assert (answer.status, answer.error["code"]) == (403, "model_not_here")
    assert answer.body["error"]["message"] == (
        "The policy serves this call by mistral/large-3, which this gateway does not have."
    )


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_longest_answer_is_capped_under_the_name_that_was_used(gateway, name):
    gateway.obey(workflows={"seo": workflow(guardrails={"max_output_tokens": 50})})
    answer = gateway.chat("middle", metadata={"workflow": "seo"}, **{name: 9000})
    assert answer.headers["x-tokenops-max-output-tokens"] == "50"
    sent = gateway.provider.last().body
    assert [sent[one] for one in ("max_tokens", "max_completion_tokens") if one in sent] == [50]
    gateway.chat("middle", metadata={"workflow": "seo"}, **{name: 20})
    sent = gateway.provider.last().body
    assert [sent[one] for one in ("max_tokens", "max_completion_tokens") if one in sent] == [20]


def test_the_longest_answer_is_capped_where_nothing_was_said(gateway):
    gateway.obey(workflows={"seo": workflow(guardrails={"max_output_tokens": 50})})
    gateway.chat("middle", metadata={"workflow": "seo"})
    assert gateway.provider.last().body["max_tokens"] == 50
    gateway.post("/v1/responses", {"model": "middle", "input": "hi", "metadata": {"workflow": "seo"}})
    assert gateway.provider.last().body["max_output_tokens"] == 50
    gateway.chat("middle", metadata={"workflow": "seo"}, n=2)
    assert gateway.provider.last().body["max_tokens"] == 25  # two answers, fifty tokens in all


def test_messages_and_responses_carry_their_metadata_elsewhere(gateway):
    said = {"workflow": "seo", "run_id": "run-7"}
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    gateway.obey(workflows={"seo": workflow(default_tier=2)}, tiers=[
        tier(1, model("openai", "gpt-4o-mini")),
        tier(2, model("openai", "gpt-4o"), model("anthropic", "claude-opus-4-1")),
    ])  # fmt: skip
    answer = gateway.post("/v1/messages", {"model": "large", "metadata": {"user_id": "ana", **said}, **body})
    assert (answer.status, answer.headers["x-tokenops-workflow"]) == (200, "seo")
    event = gateway.event(model="claude-opus-4-1")
    assert (event["workflow"], event["run_id"], event["user"], event["provider"]) == (
        "seo",
        "run-7",
        "ana",
        "anthropic",
    )
    assert (event["input_tokens"], event["output_tokens"], event["operation"]) == (11, 5, "chat")
    gateway.post("/v1/messages", {"model": "large", "litellm_metadata": {"workflow": "by-litellm"}, **body})
    assert gateway.event(workflow="by-litellm")["model"] == "claude-opus-4-1"
    gateway.post("/v1/responses", {"model": "middle", "input": "hi", "metadata": said})
    event = gateway.event(model="gpt-4o")
    assert (event["workflow"], event["run_id"], event["provider"]) == ("seo", "run-7", "openai")
    assert (event["input_tokens"], event["output_tokens"]) == (11, 5)
    gateway.post("/v1/embeddings", {"model": "embed", "input": "hi", "metadata": said})
    event = gateway.event(model="text-embedding-3-small")
    assert (event["workflow"], event["operation"], event["input_tokens"]) == ("seo", "embedding", 11)


def test_headers_and_tags_say_the_same_and_headers_go_first(gateway):
    headers = {"X-TokenOps-Workflow": "SEO Briefs", "X-TokenOps-Step": "3", "X-TokenOps-Risk-Flags": "claims, legal"}
    gateway.chat("middle", headers=headers, metadata={"workflow": "other", "tags": ["campaign:spring", "beta"]})
    event = gateway.event(status="ok")
    assert (event["workflow"], event["step"]) == ("seo-briefs", 3)
    assert event["tags"] == {"campaign": "spring", "beta": "yes"}
    gateway.chat("small", metadata={"tags": ["workflow:by-tag"]})
    assert gateway.event(workflow="by-tag")["model"] == "gpt-4o-mini"


def test_a_run_is_stopped_at_its_steps(gateway):
    gateway.obey(workflows={"seo": workflow(guardrails={"max_run_steps": 2})})
    said = {"workflow": "seo", "run_id": "runaway"}
    assert [gateway.chat("small", metadata=said).status for _ in range(4)] == [200, 200, 403, 403]
    assert "at most 2 are allowed" in gateway.chat("small", metadata=said).body["error"]["message"]
    assert gateway.chat("small", metadata=said | {"run_id": "another"}).status == 200


def test_a_run_is_stopped_at_its_tokens(gateway):
    gateway.obey(workflows={"seo": workflow(guardrails={"max_run_tokens": 20})})
    said = {"workflow": "seo", "run_id": "talkative"}
    assert gateway.chat("small", metadata=said).status == 200
    gateway.event(run_id="talkative")  # 16 tokens
    assert gateway.chat("small", metadata=said, say="a rather long question").status == 403


def test_another_mock_is_asked_about_and_counted_like_any_other(gateway):
    answer = gateway.chat("mocked", metadata={"workflow": "seo"})
    assert answer.body["choices"][0]["message"]["content"] == "a mocked answer"
    assert gateway.event(status="ok")["model"] == "gpt-4o-mini"
