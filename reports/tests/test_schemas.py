"""What /schemas/ serves: the documents as they are, and the event's as the program reads events."""

import json

import msgspec
import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from reports.reference.schemas import schemas
from usage.ingest.decode import decode
from usage.ingest.event import Event

WHOLE = {"id": "a", "time": "2026-11-22T09:00:00Z", "model": "gpt-4.1"}


def bare(value):
    """A schema without its descriptions."""
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if not (key == "description" and isinstance(one, str))}
    return [bare(one) for one in value] if isinstance(value, list) else value


def test_each_is_a_schema_and_says_where_it_is_known():
    assert {"event-v1", "policy-bundle-v1"} <= schemas().keys()
    for name, body in schemas().items():
        document = json.loads(body)
        Draft202012Validator.check_schema(document)
        kind, version = name.rsplit("-", 1)
        assert document["$id"] == f"https://tokenops.dev/schemas/{kind}/{version}"


def test_the_events_schema_is_what_ingest_reads():
    document = json.loads(schemas()["event-v1"])
    read = msgspec.json.schema(Event)["$defs"]["Event"]
    assert bare(document["properties"]) == bare(read["properties"])
    assert document["required"] == read["required"]
    assert all(one.get("description") for one in document["properties"].values())


@pytest.mark.parametrize(
    "change",
    [
        {}, {"id": ""}, {"id": "x" * 129}, {"model": None}, {"input_tokens": -1}, {"input_tokens": 1.5},
        {"input_tokens": None}, {"step": 0}, {"attempt": 1}, {"operation": "sing"}, {"cache": "none"},
        {"tags": {str(n): "x" for n in range(33)}}, {"tags": {"a": "b"}}, {"workflow": "Big Name"}, {"tier": 100},
        {"context": {"user": 5}}, {"context": {"user": -5}}, {"new_member": 1},
    ],
)  # fmt: skip
def test_the_schema_refuses_what_ingest_refuses(change):
    event = {**WHOLE, **change}
    document = json.loads(schemas()["event-v1"])
    (item,) = decode(json.dumps(event).encode(), "application/json", {}, 1)
    assert Draft202012Validator(document).is_valid(event) == (item.refusal is None)


@pytest.mark.django_db
def test_they_are_served_to_anybody():
    client = Client()
    listed = client.get("/schemas/").json()
    assert listed.keys() == schemas().keys()
    for name, address in listed.items():
        answer = client.get(address)
        assert (answer.status_code, answer.content) == (200, schemas()[name])
        assert answer["Content-Type"] == "application/schema+json"
        assert client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert client.get("/schemas/nothing.json").status_code == 404
    assert client.post("/schemas/").status_code == 405
