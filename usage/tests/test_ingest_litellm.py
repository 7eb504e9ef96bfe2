"""What LiteLLM's `generic_api` callback posts to the ingest endpoint, read item by item."""

import gzip
import json
from pathlib import Path

import pytest
from tokenops_sdk.litellm.asking import KNOWN, described
from tokenops_sdk.litellm.payload import event_fields

from usage.ingest.decode import decode
from usage.tests.events import an_event

SAMPLES = [json.loads(line) for line in (Path(__file__).parent / "samples" / "litellm.jsonl").read_text().splitlines()]
SHARED = Path(__file__).parents[3] / "shared/data/client_payloads/litellm_standard_logging_openai.jsonl.gz"


def read(body: object):
    return decode(json.dumps(body).encode(), "application/json", {}, 1000)


def test_an_array_of_payloads_and_one_alone():
    items = read(SAMPLES)
    assert [item.refusal for item in items if item.refusal] == []
    assert [item.event.id for item in items][:2] == ["call-1:failure:call-1", "call-1:success:chatcmpl-one"]
    assert [item.event.status for item in items][:2] == ["error", "ok"]
    assert (items[1].event.input_tokens, items[1].event.cached_input_tokens) == (2000, 1024)
    assert read(SAMPLES[1])[0].event == items[1].event


def test_payloads_and_events_may_come_together():
    items = read([an_event("a"), SAMPLES[1], an_event("b")])
    assert [item.event.id for item in items] == ["a", "call-1:success:chatcmpl-one", "b"]


def test_what_the_caller_said_is_taken_from_metadata_and_headers():
    payload = SAMPLES[1] | {
        "messages": [{"role": "user", "content": "secret"}],
        "metadata": SAMPLES[1]["metadata"]
        | {
            "requester_metadata": {"workflow": "SEO briefs", "run_id": "run-1"},
            "requester_custom_headers": {"x-tokenops-stage": "draft"},
        },
    }
    (item,) = read([payload])
    assert (item.event.workflow, item.event.run_id, item.event.stage) == ("seo-briefs", "run-1", "draft")
    assert b"secret" not in item.raw


@pytest.mark.parametrize(
    "broken",
    [
        {"endTime": "yesterday"},
        {"prompt_tokens": None},
        {"response_cost": "much"},
        {"litellm_call_id": "", "id": ""},
        {"endTime": 1e99},
        {"model": "", "custom_llm_provider": "", "response": {}},
        {"prompt_tokens": -5},
        {"response_time": [1]},
    ],
)
def test_a_broken_payload_is_refused_with_a_sentence_and_without_its_prompt(broken):
    (item,) = read([SAMPLES[1] | broken | {"messages": [{"role": "user", "content": "secret"}]}])
    assert item.event is None
    assert item.refusal.detail
    assert b"secret" not in item.raw


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded payloads are not on this machine")
def test_recorded_payloads_are_all_taken_with_the_tokens_that_they_state():
    with gzip.open(SHARED, "rt") as lines:
        payloads = [json.loads(line) for line in lines]
    items = read(payloads)
    assert [item.refusal for item in items if item.refusal] == []
    assert len({item.event.id for item in items}) == len(payloads)
    stated = sum(one["total_tokens"] for one in payloads)
    assert sum((item.event.input_tokens or 0) + (item.event.output_tokens or 0) for item in items) == stated


ODD = ["a\0b", "a\ud800b", "x" * 500, "9" * 15, str(2**31), "-3", "１２", " ", "\0", True, 1e300, [1], {"a": 1}, 2**63]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_nothing_that_a_caller_says_keeps_its_call_from_being_counted(odd):
    """A refused event is a call that no budget sees; whoever calls must not be able to bring that about."""
    said = described({}, [dict.fromkeys((*KNOWN, "user"), odd)], [f"k{odd}:v{odd}", odd], None)
    event = an_event("a") | event_fields(said)
    assert read(event)[0].refusal is None
    if odd == "a\ud800b":
        return  # no JSON can say that
    metadata = SAMPLES[1]["metadata"] | {
        "requester_metadata": dict.fromkeys(KNOWN, odd),
        "user_api_key_user_id": odd,
        "user_api_key_alias": odd,
    }
    payload = {"metadata": metadata, "request_tags": [odd], "end_user": odd, "model_group": odd, "session_id": odd}
    (item,) = read([SAMPLES[1] | payload])
    assert item.refusal is None
    assert (item.event.id, item.event.input_tokens) == ("call-1:success:chatcmpl-one", 2000)
