"""What happens after the plugin was asked, on a real proxy: fallbacks, streams, failures."""

import json
import time

from sdk.tests_litellm.office import model, paused, tier, workflow

PLAIN = {"version": 3, "unlisted_models": "allow", "rules": [], "otherwise": {}, "daily_tokens": {}}
STREAMS = [
    tier(1, model("openai", "gpt-4o-mini", 150_000_000, 600_000_000)),
    tier(2, model("openai", "endless-gpt", 1_000_000_000, 1_000_000_000_000), model("anthropic", "endless-claude")),
]


def test_a_fallback_makes_two_events_of_one_call(gateway):
    answer = gateway.chat("falls-to-small", metadata={"workflow": "seo"})
    assert (answer.status, answer.headers["x-tokenops-model"]) == (200, "openai/gpt-4o-mini")
    failed, served = gateway.event(status="error"), gateway.event(status="ok")
    assert (failed["model"], served["model"]) == ("gpt-4.1", "gpt-4o-mini")
    assert "input_tokens" not in failed
    assert failed["id"].split(":")[0] == served["id"].split(":")[0]
    assert (failed["id"].split(":")[1], served["id"].split(":")[1]) == ("failure", "success")
    assert (failed["workflow"], served["workflow"], served["tier"]) == ("seo", "seo", 1)


def test_a_fallback_is_asked_about_again(gateway):
    """LiteLLM runs its pre-call hook once; what it falls back to would pass unseen."""
    answer = gateway.chat("falls-to-large", metadata={"workflow": "seo"})
    assert answer.status >= 400
    assert [one.path for one in gateway.provider.served] == []
    assert gateway.event(status="blocked")["model"] == "claude-opus-4-1"
    assert gateway.event(status="error")["model"] == "gpt-4.1"


def test_a_refused_fallback_leaves_the_deployment_to_others(gateway):
    """After a 429 of one caller LiteLLM would let nobody use the deployment for a while."""
    allowed = {"tiers": [tier(2, model("openai", "gpt-4.1"), model("anthropic", "claude-opus-4-1"))]}
    assert gateway.chat("falls-to-large", metadata={"workflow": "seo"}).status >= 400
    gateway.obey(**allowed)
    assert gateway.chat("large", metadata={"workflow": "seo"}).status == 200


def test_a_failure_is_recorded_as_one(gateway):
    gateway.chat("falls-to-large", metadata={"workflow": "seo"}, num_retries=0)
    event = gateway.event(status="error")
    assert (event["workflow"], event["requested_model"]) == ("seo", "falls-to-large")


def test_streams_of_all_kinds_are_counted_once(gateway):
    gateway.obey(tiers=[tier(2, model("openai", "gpt-4o"), model("anthropic", "claude-opus-4-1"))])
    said = {"workflow": "seo"}
    answer = gateway.chat("middle", metadata=said, stream=True)
    assert "".join(text_of(one) for one in answer.events) == "one two three four five"
    event = gateway.event(model="gpt-4o")
    assert (event["workflow"], event["input_tokens"], event["output_tokens"], event["status"]) == ("seo", 11, 5, "ok")
    body = {"model": "large", "max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    answer = gateway.post("/v1/messages", body | {"metadata": said})
    assert [one["type"] for one in answer.events if isinstance(one, dict)][-1] == "message_stop"
    event = gateway.event(model="claude-opus-4-1")
    assert (event["workflow"], event["input_tokens"], event["output_tokens"]) == ("seo", 11, 5)
    answer = gateway.post(
        "/v1/responses", {"model": "middle", "input": "hi", "stream": True, "metadata": said | {"run_id": "r"}}
    )
    assert "response.completed" in [one.get("type") for one in answer.events if isinstance(one, dict)]
    event = gateway.event(run_id="r")
    assert (event["workflow"], event["input_tokens"], event["output_tokens"]) == ("seo", 11, 5)
    time.sleep(6)  # by then the plugin would have counted by itself what LiteLLM told nothing of
    assert len(gateway.events()) == 3


def test_an_endless_answer_is_cut_at_its_cap_and_says_why(gateway):
    gateway.obey(tiers=STREAMS, workflows={"seo": workflow(guardrails={"max_output_tokens": 30})})
    answer = gateway.chat("endless", metadata={"workflow": "seo"}, stream=True)
    text = "".join(text_of(one) for one in answer.events)
    assert 25 <= len(text.split()) <= 30
    last = [one for one in answer.events if isinstance(one, dict)][-1]
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["tokenops"]["text"] == "The answer was cut at 30 tokens, the most that this call may have."
    assert answer.events[-1] == "[DONE]"
    event = gateway.event(status="ok")
    assert (event["finish_reason"], event["workflow"]) == ("cut", "seo")
    assert 30 <= event["output_tokens"] <= 33
    served = gateway.provider.last()
    assert served.ended.wait(10)
    assert served.was_cut and served.pieces < 200, served.pieces


def test_an_endless_message_and_response_are_cut_too(gateway):
    gateway.obey(tiers=STREAMS, workflows={"seo": workflow(guardrails={"max_output_tokens": 30})})
    body = {
        "model": "endless-claude",
        "max_tokens": 4000,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    answer = gateway.post("/v1/messages", body | {"metadata": {"workflow": "seo"}})
    kinds = [one for one in answer.events if isinstance(one, dict)]
    assert [one["type"] for one in kinds[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds[-2]["delta"]["stop_reason"] == "max_tokens"
    assert kinds[-2]["tokenops"]["code"] == "stream_cut"
    event = gateway.event(model="endless-claude")
    assert (event["finish_reason"], event["input_tokens"]) == ("cut", 11)
    assert gateway.provider.last().ended.wait(10)
    assert gateway.provider.last().was_cut
    body = {"model": "endless", "input": "hi", "stream": True, "metadata": {"workflow": "seo"}}
    answer = gateway.post("/v1/responses", body)
    last = [one for one in answer.events if isinstance(one, dict)][-1]
    assert (last["type"], last["response"]["incomplete_details"]["reason"]) == (
        "response.incomplete",
        "max_output_tokens",
    )
    assert gateway.event(model="endless-gpt")["finish_reason"] == "cut"
    assert gateway.provider.last().ended.wait(10)
    assert gateway.provider.last().was_cut


def test_an_answer_is_cut_where_its_run_has_no_money_left(gateway):
    """At 1,000 dollars a million tokens of output, 0.02 dollars are twenty tokens."""
    gateway.obey(tiers=STREAMS, workflows={"seo": workflow(guardrails={"max_run_money": "0.02"})})
    answer = gateway.chat("endless", metadata={"workflow": "seo", "run_id": "dear"}, stream=True)
    assert 15 <= len("".join(text_of(one) for one in answer.events).split()) <= 20
    assert gateway.provider.last().body["max_tokens"] <= 20
    assert gateway.event(status="ok")["finish_reason"] == "cut"


def test_a_client_that_goes_away_is_counted_for_what_it_got(gateway):
    import http.client

    gateway.obey(tiers=STREAMS)
    where = gateway.proxy.url.removeprefix("http://")
    connection = http.client.HTTPConnection(where, timeout=20)
    body = {
        "model": "endless", "stream": True, "messages": [{"role": "user", "content": "hi"}],
        "metadata": {"workflow": "seo"},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {gateway.proxy.key}", "Content-Type": "application/json", **gateway.headers}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read(2000)
    connection.sock.close() if connection.sock else None
    answer.close()
    connection.close()
    served = gateway.provider.last()
    assert served.ended.wait(15)
    assert served.was_cut
    event = gateway.event()
    assert (event["workflow"], event["status"]) == ("seo", "cancelled")
    assert event["output_tokens"] > 0
    time.sleep(6)
    assert len(gateway.events()) == 1


def test_a_kill_switch_stops_the_next_call_within_a_second(gateway):
    assert gateway.chat("small", metadata={"workflow": "seo"}).status == 200
    gateway.office.publish(workflows={"seo": workflow(paused=True)}, blocked=[paused("seo", "Stop.")])
    began = time.monotonic()
    while gateway.chat("small", metadata={"workflow": "seo"}).status != 403:
        assert time.monotonic() - began < 1.0


def test_events_wait_on_disk_while_the_server_is_away(gateway):
    gateway.office.is_broken = True
    try:
        assert gateway.chat("small", metadata={"workflow": "seo", "run_id": "while-away"}).status == 200
        time.sleep(2)
        assert gateway.events() == []
    finally:
        gateway.office.is_broken = False
    assert gateway.event(60)["run_id"] == "while-away"


def text_of(event):
    if not isinstance(event, dict):
        return ""
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in event.get("choices") or [])
