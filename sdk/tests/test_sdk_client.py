"""`PolicyClient` against a small server: what it obeys, what it refuses, and what it keeps on disk."""

import json
import logging
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_server import PAUSED, Signer, bundle
from tokenops_sdk import PolicyClient, Request
from tokenops_sdk import following as following_module

FOLDER = Path(__file__).parents[1]  # of the package
CALL = Request(workflow="briefs", model="small", provider="openai", input_tokens=1000, output_tokens=100)


def test_it_decides_by_the_newest_bundle(server, make):
    client = make()
    assert client.decide(CALL).reasons[0].code == "no_bundle_blocked"
    assert client.refresh().revision == "1:1"
    decision = client.decide(CALL)
    assert (decision.action, decision.model, decision.revision) == ("allow", "small", "1:1")
    server.publish(bundle(2, blocked=PAUSED))
    assert client.refresh().revision == "1:2"
    assert client.decide(CALL).action == "block"


def test_before_the_first_bundle_it_says_what_it_was_set_up_to(server, make):
    server.body = None
    client = make(without_bundle="allow")
    assert client.refresh().last_error == "The server answered 503."
    decision = client.decide(CALL)
    assert decision.allowed
    assert (decision.model, decision.reasons[0].code) == ("small", "no_bundle_allowed")
    assert client.fail_mode == "allow"
    with pytest.raises(ValueError, match="without_bundle"):
        make(without_bundle="maybe")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://a:b@host", "http://host/?q=1"])
def test_an_address_that_is_none_is_said_at_once(url):
    with pytest.raises(ValueError, match="address"):
        PolicyClient(url, "tok", follow=False)
    with pytest.raises(ValueError, match="key"):
        PolicyClient("http://host", "two words", follow=False)


def test_unchanged_costs_a_304_and_vouches_anew(server, make):
    client = make()
    first = client.refresh()
    server.fresh_seconds = 900
    again = client.refresh()
    assert (again.revision, again.since) == (first.revision, first.since)
    assert again.fresh_until > first.fresh_until + timedelta(seconds=500)
    assert server.asked("/api/v1/policy-bundle")[1]["if-none-match"].strip('"') == client.held.bundle.digest
    server.fresh_seconds = 60  # an older token, sent again, takes nothing back
    assert client.refresh().fresh_until == again.fresh_until


def tampered(server):
    server.signature = server.signer.detached(bundle(3))
    return "The signature does not hold"


def foreign(server):
    server.signature = Signer("two").detached(bundle(2))
    return "a key that the JWKS does not hold"


def same_name_other_key(server):
    server.signature = Signer("one").detached(bundle(2))
    return "The signature does not hold"


def other_audience(server):
    server.body = bundle(2, audience="somebody-else")
    return "somebody-else"


def expired(server):
    token = server.signer.vouch(bundle(2), -60)
    server.freshness = lambda body: token
    return "fresh until"


def other_token(server):
    server.freshness = lambda body: server.signer.vouch(bundle(7))
    return "vouches for bundle 1:7"


def replayed(server):
    server.body = bundle(0)
    return "1:0 is older than 1:1"


def older_epoch(server):
    server.body = bundle(900, epoch=0)
    return "0:900 is older than 1:1"


def other_content(server):
    server.body = bundle(1, blocked=PAUSED)
    return "says something else"


def no_policy(server):
    server.body = json.dumps({"schema": following_module.verify.__globals__["SCHEMA"], "epoch": 1, "revision": 2,
                              "audience": "tokenops"}).encode()  # fmt: skip
    return "cannot be read"


@pytest.mark.parametrize(
    "spoil",
    [tampered, foreign, same_name_other_key, other_audience, expired, other_token, replayed, older_epoch,
     other_content, no_policy],
)  # fmt: skip
def test_what_it_refuses(server, make, spoil, tmp_path):
    client = make(state_dir=tmp_path)
    client.refresh()
    held = client.held
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    server.publish(bundle(2))
    says = spoil(server)
    state = client.refresh()
    assert says in state.last_error
    assert (state.revision, state.failures, client.held) == ("1:1", 1, held)
    assert client.decide(CALL).allowed
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    (nack,) = [one for one in client._reports.waiting if one["answer"] == "nack"]
    assert (nack["epoch"], nack["revision"]) == (1, 1)
    assert says in nack["error"]
    client.refresh()
    assert len([one for one in client._reports.waiting if one["answer"] == "nack"]) == 1  # said once


def test_a_new_signing_key_is_fetched_once_and_kept(server, make, tmp_path):
    client = make(state_dir=tmp_path)
    client.refresh()
    server.signer = Signer("two")
    server.keys.append(server.signer.public)
    server.publish(bundle(2))
    assert client.refresh().revision == "1:2"
    client.refresh()
    assert len(server.asked("/.well-known/jwks.json")) == 2
    server.stop()
    assert make(state_dir=tmp_path).state().revision == "1:2"


def test_a_token_by_a_new_key_renews_the_bundle_and_the_keys_on_disk(server, make, tmp_path):
    client = make(state_dir=tmp_path)
    client.refresh()
    server.signer = Signer("two")
    server.keys = [server.signer.public]  # the old one is gone at once
    server.fresh_seconds = 4000
    assert client.refresh().last_error == ""
    last = client.refresh()  # asked for as a whole, to be kept as the new key signed it
    assert last.last_error == ""
    server.stop()
    again = make(state_dir=tmp_path).state()
    assert (again.revision, again.fresh_until) == ("1:1", last.fresh_until)


def test_keys_that_do_not_help_are_not_adopted(server, make):
    client = make()
    client.refresh()
    before = client._follower.jwks
    server.signature = Signer("three").detached(bundle(2))
    server.keys = [Signer("four").public]
    server.publish(bundle(2))
    assert "JWKS" in client.refresh().last_error
    assert client._follower.jwks == before


def test_given_keys_are_the_only_ones(server, make):
    client = make(jwks={"keys": [Signer("one").public]})
    assert "signature" in client.refresh().last_error
    right = make(jwks={"keys": [server.signer.public]})
    assert right.refresh().revision == "1:1"
    server.signer = Signer("two")
    server.keys = [server.signer.public]
    server.publish(bundle(2))
    assert "JWKS" in right.refresh().last_error
    assert server.asked("/.well-known/jwks.json") == []


# On disk


def test_it_starts_from_disk_when_the_server_is_away(server, make, tmp_path):
    make(state_dir=tmp_path / "state").refresh()
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    server.stop()
    client = make(state_dir=tmp_path / "state")
    assert client.wait_ready(0)
    assert client.decide(CALL).allowed
    state = client.refresh()
    assert state.fresh
    assert "cannot be reached" in state.last_error


def test_freshness_that_came_later_is_kept_too(server, make, tmp_path):
    client = make(state_dir=tmp_path)
    client.refresh()
    server.fresh_seconds = 4000
    until_when = client.refresh().fresh_until
    server.stop()
    assert make(state_dir=tmp_path).state().fresh_until == until_when


@pytest.mark.parametrize(
    ("fail_mode", "action", "code"),
    [
        ("block", "block", "stale_blocked"),
        ("allow", "allow", "stale_allowed"),
        ("last_known_good", "allow", "stale_continued"),
    ],
)
def test_after_expiry_it_follows_the_bundle_s_fail_mode(server, make, tmp_path, fail_mode, action, code):
    server.publish(bundle(2, fail_mode=fail_mode))
    make(state_dir=tmp_path).refresh()
    server.stop()
    client = make(state_dir=tmp_path)
    later = datetime.now(UTC) + timedelta(seconds=400)
    assert not client.state(later).fresh
    decision = client.decide(CALL, later)
    assert decision.action == action
    assert code in {reason.code for reason in decision.reasons}
    assert client.fail_mode == fail_mode


def test_a_rollback_is_refused_after_a_restart_too(server, make, tmp_path):
    server.publish(bundle(5))
    make(state_dir=tmp_path).refresh()
    server.publish(bundle(4))
    client = make(state_dir=tmp_path)
    assert "older" in client.refresh().last_error
    assert client.state().revision == "1:5"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"highest": [1]}', b"\xff" * 40])
def test_a_spoilt_file_is_no_bundle(server, make, tmp_path, content):
    make(state_dir=tmp_path).refresh()
    (file,) = tmp_path.glob("*.bundle.json")
    file.write_bytes(content)
    client = make(state_dir=tmp_path)
    assert client.state().revision is None
    assert client.refresh().revision == "1:1"


def test_a_bundle_changed_on_disk_is_not_obeyed(server, make, tmp_path):
    server.publish(bundle(2, blocked=PAUSED))
    make(state_dir=tmp_path).refresh()
    (file,) = tmp_path.glob("*.bundle.json")
    kept = json.loads(file.read_text())
    kept["body"] = __import__("base64").b64encode(bundle(2)).decode()
    file.write_text(json.dumps(kept))
    client = make(state_dir=tmp_path)
    assert client.decide(CALL).reasons[0].code == "no_bundle_blocked"
    assert "not used" in client.state().last_error


def test_a_slower_process_does_not_put_an_older_bundle_on_disk(server, make, tmp_path):
    slow = make(state_dir=tmp_path)
    later = []
    slow._keep, keep_later = later.append, slow._keep
    slow.refresh()
    server.publish(bundle(2))
    make(state_dir=tmp_path).refresh()
    keep_later(later[0])
    assert make(state_dir=tmp_path).state().revision == "1:2"


def test_a_folder_that_cannot_be_written_costs_nothing_else(server, make, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    client = make(state_dir=tmp_path / "file" / "state")
    with caplog.at_level(logging.WARNING, "tokenops_sdk"):
        assert client.refresh().revision == "1:1"
    assert "cannot be kept" in caplog.text
