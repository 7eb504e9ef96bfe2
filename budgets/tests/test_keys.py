"""Keys: made once by name, changed, rotated with overlap, undone; every act leaves its row, none holds a key's text."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from budgets.access import directory
from budgets.access.change import (
    InvalidKey,
    KeyValues,
    RefusedKey,
    change_key,
    create_key,
    rotate_key,
    stamp,
    undo_change,
    values_of,
)
from budgets.access.keys import digest
from budgets.access.revoke import revoke_key
from budgets.access.sources import InvalidSource, rename_source
from budgets.models import ApiKey, AuditEntry, Source
from budgets.tests.made import ACTOR, at_once

pytestmark = pytest.mark.django_db(transaction=True)
INGEST = KeyValues("Gateway", ("ingest",))


def rows() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("act", "object_name"))


def test_making_leaves_a_row_without_the_text_or_its_digest():
    key, plain = create_key(ACTOR, INGEST)
    assert bytes(key.digest) == digest(plain)
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.object_id, entry.after["scopes"]) == ("created", str(key.pk), ["ingest"])
    everything = " ".join(str(getattr(entry, field.attname)) for field in entry._meta.concrete_fields)
    assert plain not in everything and plain[10:] not in everything and digest(plain).hex() not in everything


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        (KeyValues("  ", ("ingest",)), "name", "what the key is for"),
        (KeyValues("x" * 129, ("ingest",)), "name", "128"),
        (KeyValues("a", ()), "scopes", "at least one"),
        (KeyValues("a", ("root",)), "scopes", "root is unknown"),
        (KeyValues("a", ("ingest",), expires_at=datetime(2020, 1, 1, tzinfo=UTC)), "expires_at", "has passed"),
        (KeyValues("???1", ("ingest",), also=("!!!",)), "source", "letter or digit"),
    ],
)
def test_nonsense_gets_a_sentence_beside_its_field(values, field, words):
    with pytest.raises(InvalidKey) as caught:
        create_key(ACTOR, values)
    assert words in caught.value.problems[field]
    assert not ApiKey.objects.exists() and not AuditEntry.objects.exists()


def test_a_form_sent_twice_at_once_makes_one_key():
    def make() -> str:
        try:
            return create_key(ACTOR, INGEST, one_of_a_name=True)[1]
        except InvalidKey as error:
            return error.problems["name"]

    answers = at_once(make, make, make)
    assert sorted(str(one)[:4] for one in answers)[-1] == "tok_"
    assert sum("is there already" in str(one) for one in answers) == 2
    assert ApiKey.objects.count() == 1
    revoke_key(ACTOR, ApiKey.objects.get())
    create_key(ACTOR, INGEST, one_of_a_name=True)


def test_a_change_is_recorded_and_undone():
    key, _ = create_key(ACTOR, INGEST, "gateway")
    ends = timezone.now() + timedelta(days=30)
    wanted = KeyValues("Gateway two", ("ingest", "bundle"), ("crm", "gateway"), ends)
    changed = change_key(ACTOR, key, wanted, "more rights", stamp(key))
    assert values_of(changed) == KeyValues("Gateway two", ("bundle", "ingest"), ("crm",), ends)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.act, entry.reason, entry.before["name"], entry.after["also"]) == (
        "changed", "more rights", "Gateway", ["crm"],
    )  # fmt: skip
    undo_change(ACTOR, key, entry)
    assert values_of(ApiKey.objects.get()) == KeyValues("Gateway", ("ingest",))
    with pytest.raises(RefusedKey, match="changed again since"):
        undo_change(ACTOR, key, entry)


def test_nobody_overwrites_what_another_changed_meanwhile():
    key, _ = create_key(ACTOR, INGEST)
    looked_at = stamp(key)
    change_key(ACTOR, key, KeyValues("Mine", ("ingest",)), seen=looked_at)
    with pytest.raises(RefusedKey, match="meanwhile"):
        change_key(ACTOR, key, KeyValues("Yours", ("ingest",)), seen=looked_at)
    assert ApiKey.objects.get().name == "Mine"


def test_saving_what_is_there_changes_nothing_and_an_expired_key_may_be_renamed():
    key, _ = create_key(ACTOR, INGEST)
    change_key(ACTOR, key, INGEST)
    assert [act for act, _ in rows()] == ["created"]
    past = timezone.now() - timedelta(days=1)
    ApiKey.objects.update(expires_at=past)
    key.refresh_from_db()
    change_key(ACTOR, key, KeyValues("Old gateway", ("ingest",), (), past))
    assert ApiKey.objects.get().name == "Old gateway"
    with pytest.raises(InvalidKey, match="has passed"):
        change_key(ACTOR, key, KeyValues("Old gateway", ("ingest",), (), past + timedelta(seconds=1)))


def test_rotating_overlaps_and_keeps_rights_source_and_length():
    ends = timezone.now() + timedelta(days=90)
    old, _ = create_key(ACTOR, KeyValues("Gateway", ("ingest", "read"), ("crm",), ends), "gw")
    made, plain = rotate_key(ACTOR, old, timedelta(hours=1), reason="yearly")
    old.refresh_from_db()
    assert (made.scopes, made.source.slug) == (["ingest", "read"], "gw")
    assert [source.slug for source in made.sources.all()] == ["crm"]
    assert made.replaces_id == old.pk and bytes(made.digest) == digest(plain)
    assert abs(made.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert abs(old.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    assert [act for act, _ in rows()] == ["created", "created", "rotated"]
    states = dict(ApiKey.objects.with_state(timezone.now()).values_list("pk", "state"))
    assert states == {old.pk: "rotating", made.pk: "active"}


def test_rotating_without_overlap_ends_the_old_one_and_never_lengthens_it():
    old, _ = create_key(ACTOR, INGEST)
    rotate_key(ACTOR, old, timedelta(0))
    old.refresh_from_db()
    assert old.revoked_at is not None
    soon = timezone.now() + timedelta(minutes=5)
    other, _ = create_key(ACTOR, KeyValues("Other", ("ingest",), (), soon))
    rotate_key(ACTOR, other, timedelta(days=7))
    other.refresh_from_db()
    assert other.expires_at == soon


def test_of_two_who_rotate_at_once_one_does():
    old, _ = create_key(ACTOR, INGEST)

    def rotate() -> str:
        try:
            return rotate_key(ACTOR, old, timedelta(hours=1))[1]
        except RefusedKey as error:
            return str(error)

    answers = sorted(map(str, at_once(rotate, rotate)))
    assert "was rotated already" in answers[0] and answers[1].startswith("tok_")
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_what_ended_is_neither_rotated_nor_brought_back(ended):
    key, _ = create_key(ACTOR, INGEST)
    if ended == "revoked":
        revoke_key(ACTOR, key)
        with pytest.raises(RefusedKey, match="stays so"):
            change_key(ACTOR, key, KeyValues("x", ("ingest",)))
    else:
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(RefusedKey, match=f"is {ended}"):
        rotate_key(ACTOR, key, timedelta(hours=1))
    with pytest.raises(InvalidKey, match="720"):
        rotate_key(ACTOR, key, timedelta(days=31))


def test_a_source_is_renamed_with_a_row():
    source = Source.objects.create(slug="gw", name="gw")
    rename_source(ACTOR, source, " Production gateway ")
    assert Source.objects.get().name == "Production gateway"
    assert AuditEntry.objects.get().before == {"name": "gw"}
    for name in ("  ", "x" * 129):
        with pytest.raises(InvalidSource):
            rename_source(ACTOR, source, name)


def test_two_hundred_wrong_keys_cost_no_query_and_little_time(client, django_assert_num_queries):
    directory.find("tok_nobody")  # the first one starts the directory
    started = time.perf_counter()
    with django_assert_num_queries(0):
        for n in range(200):
            answer = client.get("/api/v1/budgets", headers={"authorization": f"Bearer tok_wrong{n}"})
            assert answer.status_code == 401
            answer = client.post("/api/v1/events", {}, headers={"authorization": f"Bearer tok_wrong{n}"})
            assert answer.status_code == 401
    assert (time.perf_counter() - started) / 400 < 0.05


ASK = """
import sys, django
django.setup()
from budgets.access import directory
for line in sys.stdin:
    print("yes" if directory.find(line.strip()) else "no", flush=True)
"""


@pytest.fixture
def another_process():
    """Asks another process, which heard only of this database, whether a key is good."""
    name = connection.settings_dict["NAME"]
    address = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    process = subprocess.Popen(
        [sys.executable, "-c", ASK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DATABASE_URL": address},
    )

    def ask(plain: str) -> bool:
        process.stdin.write(f"{plain}\n")
        process.stdin.flush()
        return process.stdout.readline().strip() == "yes"

    yield ask
    process.stdin.close()
    process.wait(10)


def soon(true) -> bool:
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def test_another_process_refuses_a_revoked_or_expired_key_at_once(another_process):
    key, plain = create_key(ACTOR, INGEST)
    assert another_process(plain)
    rotated, new = rotate_key(ACTOR, key, timedelta(hours=1))
    assert soon(lambda: another_process(new)) and another_process(plain)
    revoke_key(ACTOR, key)
    assert soon(lambda: not another_process(plain))
    assert another_process(new)
    ends = timezone.now() + timedelta(seconds=0.5)
    change_key(ACTOR, rotated, KeyValues("Gateway", ("ingest",), (), ends))
    assert soon(lambda: not another_process(new))


def test_a_key_made_by_the_command_leaves_one_row_too(capsys):
    call_command("create_api_key", "CI", "--scope", "ingest", "--also", "crm")
    plain = capsys.readouterr().out.strip()
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.origin, entry.after["also"]) == ("created", "command", ["crm"])
    assert plain not in str(entry.after)
    assert get_user_model().objects.count() == 0
