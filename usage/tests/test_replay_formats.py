"""The trace adapters: their identity rules and their counting, on small hand-made samples and on whole real traces."""

import csv
import gzip
import json
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from usage.ingest.decode import decode
from usage.ingest.event import check
from usage.replay.formats import known, recognise
from usage.replay.formats.mooncake import PrefixCache
from usage.replay.run import Tally, calls
from usage.replay.sender import encoded
from usage.replay.trace import Event, Given, UnknownFormat, Unreadable, open_trace

SAMPLES = Path(__file__).parent / "samples"
START = datetime(2026, 1, 5, tzinfo=UTC)
GIVEN = Given(model="gpt-4.1-mini", provider="openai", workflow="", scale=0.0001, starts_at=START)

SHARED = Path(os.environ.get("TOKENOPS_SHARED_DATA", settings.BASE_DIR.parent / "shared" / "data"))
# What the files' publishers say they hold, and input and output tokens summed by hand-written loops below.
REAL = {
    "traces/azure_llm_2023_code.csv.gz": ("azure", 8_819),
    "traces/azure_llm_2023_conv.csv.gz": ("azure", 19_366),
    "traces/mooncake_conversation.jsonl.gz": ("mooncake", 12_031),
    "traces/claude_code_sessions_usage.jsonl.gz": ("claude-code", 555),
    "client_payloads/litellm_standard_logging_openai.jsonl.gz": ("litellm", 229),
}
PRESENT = [name for name in REAL if (SHARED / name).exists()]
SERVEGEN = [path for path in [SHARED / "traces/servegen_m-small_10min.csv.gz"] if path.exists()]


def read(path: Path, given: Given = GIVEN) -> tuple[str, list[Event], list[Unreadable]]:
    with open_trace(path) as trace:
        found = recognise(trace.head)
        items = list(found.read(trace.lines, replace(given, fingerprint=trace.fingerprint)))
    bad = [item for item in items if isinstance(item, Unreadable)]
    return found.name, [item for item in items if not isinstance(item, Unreadable)], bad


def assert_taken(events: list[Event]) -> None:
    """Every event passes the decoder and the checks that the server makes."""
    body = b"[" + b",".join(encoded(event) for event in events) + b"]"
    items = decode(body, "application/json", {}, len(events))
    assert [item.refusal for item in items if item.refusal] == []
    for item, event in zip(items, events, strict=True):
        assert item.event is not None
        check(item.event, item.event.time, item.event.time - timedelta(days=1))
        assert (item.event.id, item.event.time) == (event["id"], event["time"])


@pytest.mark.parametrize(
    ("name", "found", "count"),
    [
        ("azure.csv", "azure", 3),
        ("mooncake.jsonl", "mooncake", 4),
        ("servegen.csv", "servegen", 0),
        ("claude_code.jsonl", "claude-code", 2),
        ("litellm.jsonl", "litellm", 6),
    ],
)
def test_a_sample_is_known_by_its_content_and_packed_or_not_gives_the_same_calls(
    tmp_path: Path, name: str, found: str, count: int
) -> None:
    packed = tmp_path / "no-telling-name"
    packed.write_bytes(gzip.compress((SAMPLES / name).read_bytes()))
    plain_name, plain, bad = read(SAMPLES / name)
    assert (plain_name, len(plain), bad) == (found, count, [])
    assert read(packed) == (found, plain, [])
    assert len({event["id"] for event in plain}) == len(plain)
    assert_taken(plain)


def test_a_file_in_the_formats_folder_is_registered_by_being_there() -> None:
    files = {path.stem for path in (Path(settings.BASE_DIR) / "usage/replay/formats").glob("[!_]*.py")}
    assert {one.name.replace("-", "_") for one in known()} == files
    assert all(one.identity and one.what for one in known())


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", '{"some": "object"}\n', "TIMESTAMP;Tokens\n", "\x00\xff\n"])
def test_an_unknown_file_is_told_apart_with_the_list_of_known_formats(text: str) -> None:
    with pytest.raises(UnknownFormat, match=r"none of the formats.*Known: azure .*mooncake"):
        recognise(text)


def test_azure_rows_are_calls_even_when_they_look_alike() -> None:
    _, events, _ = read(SAMPLES / "azure.csv")
    assert [(event["input_tokens"], event["output_tokens"]) for event in events] == [(1500, 20), (1500, 20), (310, 118)]
    assert events[0]["time"] == datetime(2024, 3, 4, 9, 0, 0, 123456, tzinfo=UTC)


def test_mooncake_blocks_seen_before_are_cached_input_but_only_leading_ones() -> None:
    _, events, _ = read(SAMPLES / "mooncake.jsonl")
    assert [event["cached_input_tokens"] for event in events] == [0, 1024, 700, 0]
    assert [event["time"] - START for event in events] == [timedelta(milliseconds=n) for n in (0, 250, 250, 4000)]


def test_the_prefix_cache_forgets_what_was_used_longest_ago() -> None:
    cache = PrefixCache(capacity=3)
    assert [cache.serve(blocks) for blocks in ([1, 2], [3], [1, 2], [4, 5], [3], [1])] == [0, 0, 2, 0, 0, 0]
    assert len(cache.blocks) == 3


def test_servegen_windows_become_calls_whose_number_does_not_drift_with_the_scale() -> None:
    _, events, _ = read(SAMPLES / "servegen.csv", replace(GIVEN, scale=0.01))
    by_workflow = Counter(event["workflow"] for event in events)
    assert by_workflow == {"servegen-client-3": 27, "servegen-client-8": 6}  # (2.0 + 2.5) * 600 / 100, 1.0 * 600 / 100
    assert events == read(SAMPLES / "servegen.csv", replace(GIVEN, scale=0.01))[1]
    assert all(START <= event["time"] < START + timedelta(seconds=1200) for event in events)
    assert all(("input_tokens" in event) == (event["workflow"] == "servegen-client-3") for event in events)
    assert_taken(events)


def test_servegen_sizes_follow_the_published_percentiles() -> None:
    _, events, _ = read(SAMPLES / "servegen.csv", replace(GIVEN, scale=2))
    sizes = sorted(event["input_tokens"] for event in events if "input_tokens" in event)
    assert len(sizes) == 5_400
    assert sizes[2_700] == pytest.approx(400, rel=0.05)
    assert sizes[5_130] == pytest.approx(900, rel=0.08)


def test_claude_code_keeps_the_last_line_of_a_call_and_counts_the_cache_into_the_input() -> None:
    _, (second, first), _ = read(SAMPLES / "claude_code.jsonl")
    assert (first["id"], first["output_tokens"], first["time"].second) == ("msg_a", 210, 5)
    assert (first["input_tokens"], first["cached_input_tokens"], first["cache_write_tokens"]) == (12_004, 10_000, 2_000)
    assert first["units"] == {"web_search": 2, "cache_write_1h_tokens": 1_500}
    assert (second["id"], second["input_tokens"], second["agent"]) == ("msg_b", 300, "sub")


def test_claude_code_holds_back_a_bounded_number_of_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = (SAMPLES / "claude_code.jsonl").read_text().splitlines()[1]
    trace = tmp_path / "long.jsonl"
    trace.write_text("\n".join(line.replace("msg_a", f"msg_{number}") for number in range(300)))
    monkeypatch.setattr("usage.replay.formats.claude_code.LINES_HELD", 50)
    with open_trace(trace) as opened:
        reading = recognise(opened.head).read(opened.lines, GIVEN)
        first = next(reading)
        assert not isinstance(first, Unreadable)
        assert first["id"] == "msg_0"
        lines_left = sum(1 for _ in opened.lines)
    assert lines_left == 300 - 52


def test_litellm_identity_is_call_status_and_response_id() -> None:
    _, events, _ = read(SAMPLES / "litellm.jsonl")
    assert [event["id"] for event in events][:3] == [
        "call-1:failure:call-1",
        "call-1:success:chatcmpl-one",
        "call-2:success:chatcmpl-one",
    ]


def test_litellm_counts() -> None:
    _, (failure, plain, from_cache, embedding, anthropic, stream), _ = read(SAMPLES / "litellm.jsonl")
    assert failure["status"] == "error"
    assert "input_tokens" not in failure
    assert (plain["input_tokens"], plain["cached_input_tokens"], plain["reasoning_tokens"]) == (2000, 1024, 64)
    assert (plain["service_tier"], plain["cost_usd"], plain["latency_ms"]) == ("priority", "0.00475", 1500)
    assert plain["tags"] == {"campaign": "spring", "beta": "yes"}
    assert (plain["model"], plain["requested_model"]) == ("gpt-4o-2024-08-06", "gpt-4o")
    assert (from_cache["input_tokens"], from_cache["avoided_input_tokens"], from_cache["cache"]) == (
        0,
        2000,
        "response",
    )
    assert (embedding["operation"], embedding["output_tokens"], embedding["cost_usd"]) == ("embedding", 0, "0.0000014")
    assert (anthropic["input_tokens"], anthropic["cached_input_tokens"], anthropic["cache_write_tokens"]) == (
        5000,
        3000,
        1500,
    )
    assert "input_tokens" not in stream


@pytest.mark.parametrize(
    ("name", "line", "number"),
    [
        ("azure.csv", "yesterday,1,2", 5),
        ("azure.csv", "2024-03-04 09:00:08.0,-4,2", 5),
        ("mooncake.jsonl", '{"timestamp": 1}', 5),
        ("mooncake.jsonl", "[1, 2]", 5),
        ("servegen.csv", "3,x,2.0,1,1,1,1,1,1,1", 5),
        ("claude_code.jsonl", '{"type":"assistant","message":{"id":"m","usage":{}}}', 5),
        ("litellm.jsonl", '{"litellm_call_id": "c", "endTime": 1e40}', 7),
        ("litellm.jsonl", '{"litellm_call_id": "cut off', 7),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_still_counts(
    tmp_path: Path, name: str, line: str, number: int
) -> None:
    text = (SAMPLES / name).read_text()
    trace = tmp_path / name
    trace.write_text(text + line + "\n" + text.splitlines()[-1].replace("call-5", "call-6") + "\n")
    _, events, bad = read(trace)
    assert [item.line for item in bad] == [number]
    assert len(events) >= len(read(SAMPLES / name)[1])


@pytest.mark.parametrize("name", PRESENT)
def test_a_real_trace_gives_as_many_calls_as_published_and_the_same_tokens_as_a_plain_sum(name: str) -> None:
    found, count = REAL[name]
    seen, events, bad = read(SHARED / name)
    assert (seen, len(events), bad) == (found, count, [])
    assert len({event["id"] for event in events}) == count
    assert plain_sums(SHARED / name, found) == tuple(
        sum(event.get(part) or 0 for event in events)
        for part in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    )
    assert_taken(events)


def plain_sums(path: Path, found: str) -> tuple[int, ...]:
    """(input, cached, cache writes, output), counted without the adapters and with the whole file in memory."""
    text = gzip.decompress(path.read_bytes()).decode()
    if found == "azure":
        rows = list(csv.DictReader(text.splitlines()))
        return sum(int(r["ContextTokens"]) for r in rows), 0, 0, sum(int(r["GeneratedTokens"]) for r in rows)
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    if found == "litellm":
        usages = [line["metadata"]["usage_object"] for line in lines]
        cached = sum((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0 for usage in usages)
        return sum(u["prompt_tokens"] for u in usages), cached, 0, sum(u["completion_tokens"] for u in usages)
    if found == "claude-code":
        last = {line["message"]["id"]: line["message"]["usage"] for line in lines}.values()
        read_from = sum(usage["cache_read_input_tokens"] for usage in last)
        written = sum(usage["cache_creation_input_tokens"] for usage in last)
        fresh = sum(usage["input_tokens"] for usage in last)
        return fresh + read_from + written, read_from, written, sum(usage["output_tokens"] for usage in last)
    blocks: set[int] = set()
    cached = 0
    for line in lines:
        new = [number for number, block in enumerate(line["hash_ids"]) if block not in blocks]
        cached += min(line["input_length"], 512 * (new[0] if new else len(line["hash_ids"])))
        blocks.update(line["hash_ids"])
    return sum(line["input_length"] for line in lines), cached, 0, sum(line["output_length"] for line in lines)


@pytest.mark.parametrize("path", SERVEGEN)
def test_the_real_servegen_volume_is_kept_per_client_to_one_call(path: Path) -> None:
    wanted: Counter[str] = Counter()
    for row in csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()):
        wanted[f"servegen-client-{row['client']}"] += float(row["rate_rps"]) * 600 * 0.00001
    tally = Tally()
    with open_trace(path) as trace:
        made = Counter(
            call["workflow"] for call in calls(recognise(trace.head), trace, replace(GIVEN, scale=0.00001), None, tally)
        )
    assert tally.unreadable == 0
    assert all(abs(made[workflow] - calls_wanted) < 1.001 for workflow, calls_wanted in wanted.items())
    assert sum(made.values()) > 14_000
