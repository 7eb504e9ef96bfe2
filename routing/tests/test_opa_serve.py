"""The archive as it is served: to whom, with which headers, by which key, without being made twice."""

import base64
import gzip
import io
import json
import tarfile
import time

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from budgets.models import Organisation
from budgets.notices import listener
from routing.bundle import entry
from routing.bundle.compile import compile_if_changed
from routing.bundle.front import BundleFront
from routing.bundle.memory import BundleMemory
from routing.models import BundleEpoch, OpaSigningKey, SigningKey
from routing.opa import serve
from routing.opa.archive import SCOPE
from routing.opa.serve import OPA_PATH
from routing.tests.opa_verifier import obeyed, read, verified
from routing.tests.rego_engines import ENGINES, asked
from routing.tests.test_front import HOLDER, READER, Keys

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(monkeypatch):
    """A memory that follows the test database, with the first bundle in it."""
    Organisation.objects.get_or_create(id=1)
    BundleEpoch.objects.get_or_create(id=1)
    listener.stop()
    compile_if_changed()
    memory = BundleMemory()
    memory.confirm_every = 3600
    memory.start()
    memory.first_look.wait(10)
    monkeypatch.setattr(serve, "memory", lambda: memory)
    monkeypatch.setattr(entry, "directory", Keys)
    yield memory
    memory.stop()
    listener.stop()


def ask(method="GET", authorization="Bearer good", **headers):
    given = {f"HTTP_{name.upper()}": value for name, value in {"authorization": authorization, **headers}.items()}
    told = []
    environ = {"PATH_INFO": OPA_PATH, "REQUEST_METHOD": method, **{k: v for k, v in given.items() if v is not None}}
    body = b"".join(BundleFront(None)(environ, lambda status, found: told.extend((status, dict(found)))))
    return int(told[0].split()[0]), told[1], body


def configuration(capsys, *options):
    capsys.readouterr()
    call_command("opa_keys", *options)
    return json.loads(capsys.readouterr().out)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "never came about"
        time.sleep(0.01)


def test_opa_obeys_what_is_served(held, capsys):
    status, headers, body = ask()
    assert (status, headers["Content-Type"]) == (200, "application/gzip")
    assert int(headers["Content-Length"]) == len(body)
    keys = configuration(capsys)["keys"]
    assert {key["scope"] for key in keys.values()} == {SCOPE}
    bundle = obeyed(body, keys, SCOPE, audience="tokenops", last_seen=(1, 1))
    assert bundle == json.loads(held.served.plain.body)


def test_it_is_made_once(held, monkeypatch):
    first = ask()
    monkeypatch.setattr(serve, "make_archive", None)
    assert ask()[2] == first[2]


def test_another_process_makes_the_same_bytes(held, monkeypatch):
    _, headers, body = ask()
    monkeypatch.setattr(serve, "_made", None)
    _, again, same = ask()
    # The freshness token is of the moment, and a second may pass between the two.
    assert headers.pop("TokenOps-Freshness") and again.pop("TokenOps-Freshness")
    assert (again, same) == (headers, body)


def test_not_modified_with_a_new_freshness_token(held, capsys):
    _, headers, _ = ask()
    status, again, body = ask(if_none_match=headers["ETag"])
    assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
    keys = configuration(capsys)["keys"]
    claims = json.loads(base64.urlsafe_b64decode(again["TokenOps-Freshness"].split(".")[1] + "=="))
    assert verified(again["TokenOps-Freshness"], keys, "") == claims
    assert (claims["epoch"], claims["revision"], claims["aud"]) == (1, 1, "tokenops")
    assert claims["exp"] - claims["iat"] == 300
    assert ask(if_none_match='"other"')[0] == 200


def test_head(held):
    status, headers, body = ask("HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == len(ask()[2])


def test_who_may_have_it(held):
    assert ask(authorization=None)[0] == 401
    assert ask(authorization="Bearer unknown")[0] == 401
    assert READER.scopes.isdisjoint({"bundle"}) and ask(authorization="Bearer reader")[0] == 403
    assert HOLDER.scopes == {"bundle"}
    assert ask("POST")[0] == 405


def test_before_the_first_bundle(held, monkeypatch):
    monkeypatch.setattr(held, "held", None)
    status, headers, _ = ask()
    assert (status, headers["Retry-After"]) == (503, "1")


def test_both_keys_are_rotated_together_and_overlap(held, capsys):
    before = ask()
    call_command("rotate_signing_key")
    until(lambda: held.held.version == (1, 2))
    after = ask()
    assert before[1]["ETag"] != after[1]["ETag"]
    keys = configuration(capsys)["keys"]
    assert len(keys) == 2 == SigningKey.objects.count() == OpaSigningKey.objects.count()
    read(before[2], keys, SCOPE)
    read(after[2], keys, SCOPE)


def test_a_key_from_before_there_were_any_for_opa_gets_one(held):
    OpaSigningKey.objects.all().delete()
    compile_if_changed()
    assert OpaSigningKey.objects.get().beside == SigningKey.objects.get(active=True)


def test_the_private_key_is_sealed(held):
    row = OpaSigningKey.objects.get()
    assert set(row.public) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert b"PRIVATE" not in bytes(row.sealed_private)


def test_no_key_is_said_so():
    with pytest.raises(CommandError, match="No key is there yet"):
        call_command("opa_keys")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_archive_decides(held, capsys, engine):
    _, headers, body = ask()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body))) as tarball:
        files = {one.name: tarball.extractfile(one).read().decode() for one in tarball}
    data = json.loads(files["data.json"]) | configuration(capsys, "--expected")
    modules = {path: text for path, text in files.items() if path.endswith(".rego")}
    given = asked({"workflow": "w", "model": "never-heard-of"}, "2026-11-23T10:00:00+00:00", None)
    given |= {"now_unix": int(time.time()), "freshness": headers["TokenOps-Freshness"]}
    told = ENGINES[engine](modules, data).ask({name: value for name, value in given.items() if value is not None})
    assert (told["action"], told["model"]) == ("allow", "never-heard-of")
    assert [reason["code"] for reason in told["reasons"]] == ["model_unlisted"]
