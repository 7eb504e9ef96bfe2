"""A proxy without the plugin: LiteLLM's own `generic_api` callback posts to the ingest endpoint of the real server."""

import json
import time

import psycopg
import pytest

from sdk.tests_litellm.conftest import configuration
from sdk.tests_litellm.proxy import open_proxy
from tokenops_site.serve.command import free_port

ROWS = """
SELECT event_id, l.status, w.slug, provider, model, requested_model, operation, input_tokens, output_tokens, run_id,
       user_name, tags, measured
FROM usage_ledger l JOIN budgets_workflow w ON w.id = l.workflow_id WHERE kind = 0
"""
NAMES = (
    "id", "status", "workflow", "provider", "model", "requested_model", "operation", "input_tokens", "output_tokens",
    "run_id", "user", "tags", "measured",
)  # fmt: skip


@pytest.fixture(scope="module")
def without_plugin(start_stack, provider, tmp_path_factory):
    """The proxy, and the server that it posts to."""
    stack = start_stack("filesystem://")
    key = stack.make_key(["ingest"], source="litellm")
    config = configuration(provider, callbacks=["generic_api"])
    with open_proxy(
        tmp_path_factory.mktemp("plain"), config, free_port(),
        GENERIC_LOGGER_ENDPOINT=f"{stack.base_url}/api/v1/events",
        GENERIC_LOGGER_HEADERS=f"Authorization=Bearer {key}",
        DEFAULT_FLUSH_INTERVAL_SECONDS="1",
    ) as proxy:  # fmt: skip
        yield proxy, stack


def rows_of(stack, count):
    """The ledger, as soon as it has so many calls."""
    deadline = time.monotonic() + 40
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while len(found := connection.execute(ROWS).fetchall()) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
    return [dict(zip(NAMES, row, strict=True)) for row in found]


def test_what_litellm_posts_by_itself_is_understood(without_plugin):
    proxy, stack = without_plugin
    said = {"workflow": "seo", "run_id": "run-1", "tags": ["campaign:spring"]}
    secret = "a secret that nobody may find in the database"
    by_header = {"X-TokenOps-Workflow": "By header"}
    message = {"model": "large", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    calls = [
        lambda: proxy.chat("middle", metadata=said, user="ana", say=secret),
        lambda: proxy.chat("small", metadata={"workflow": "streamed"}, stream=True),
        lambda: proxy.post("/v1/messages", message, by_header),
        lambda: proxy.post("/v1/responses", {"model": "middle", "input": "hi", "metadata": {"workflow": "resp"}}),
        lambda: proxy.post("/v1/embeddings", {"model": "embed", "input": "hi", "metadata": {"workflow": "emb"}}),
        lambda: proxy.chat("falls-to-small", metadata={"workflow": "fallen"}),
    ]
    for count, call in enumerate(calls, 1):
        assert call().status == 200
        rows_of(stack, count)  # LiteLLM drops calls that end while it is sending others
    rows_of(stack, 7)
    time.sleep(2)
    rows = rows_of(stack, 7)
    assert len(rows) == 7
    by_flow = {(row["workflow"], row["status"]): row for row in rows}
    one = by_flow["seo", "ok"]
    assert (one["provider"], one["model"], one["requested_model"], one["operation"]) == (
        "openai",
        "gpt-4o",
        "middle",
        "chat",
    )
    assert (one["input_tokens"], one["output_tokens"], one["run_id"], one["user"]) == (11, 5, "run-1", "ana")
    assert one["tags"] == {"campaign": "spring"}
    assert by_flow["streamed", "ok"]["output_tokens"] == 5
    failed, fell = by_flow["fallen", "error"], by_flow["fallen", "ok"]
    assert failed["id"].split(":")[0] == fell["id"].split(":")[0]
    assert (failed["model"], failed["measured"], fell["model"]) == ("gpt-4.1", False, "gpt-4o-mini")
    message = by_flow["by-header", "ok"]
    assert (message["provider"], message["model"], message["input_tokens"]) == ("anthropic", "claude-opus-4-1", 11)
    assert (by_flow["resp", "ok"]["output_tokens"], by_flow["emb", "ok"]["operation"]) == (5, "embedding")
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            found = connection.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{secret}%"])
            assert found.fetchone() == (0,), table
    assert "agree" in stack.manage("check_ledger")


def test_the_payload_sent_again_counts_once(without_plugin, provider):
    """LiteLLM sends a batch again when the answer to the first time was lost."""
    import urllib.request

    _, stack = without_plugin
    key = stack.make_key(["ingest"], source="litellm-again")
    payload = {
        "id": "chatcmpl-9", "litellm_call_id": "call-9", "call_type": "acompletion", "status": "success",
        "endTime": time.time(), "startTime": time.time() - 1, "model": "openai/gpt-4o", "model_group": "middle",
        "custom_llm_provider": "openai", "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
        "metadata": {"usage_object": {"prompt_tokens": 7, "completion_tokens": 3}}, "response": {"model": "gpt-4o"},
    }  # fmt: skip
    answers = []
    for _ in range(2):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{stack.base_url}/api/v1/events", json.dumps([payload]).encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            answers.append(json.load(answer))
    assert [(one["accepted"], one["duplicate"]) for one in answers] == [(1, 0), (0, 1)]
