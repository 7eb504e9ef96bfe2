"""Every operation of the published schema, with each role's session and each kind of key: never a server error."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.stack import Stack

pytestmark = [pytest.mark.server, pytest.mark.timeout(280)]
TOKEN = "a" * 32  # what the CSRF cookie and its header both say
# Made by one command on the running stack; it prints whose request headers are which.
MAKE = f"""
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from budgets.access.keys import make_key
from budgets.models import Membership, Team, Workflow
team, _ = Team.objects.get_or_create(slug="brand", defaults={{"name": "Brand"}})
Workflow.objects.get_or_create(slug="briefs", defaults={{"name": "Briefs", "team": team}})
found = {{}}
for role, of in (("viewer", None), ("budget_owner", team), ("approver", team), ("finance", None),
                 ("policy_admin", None), ("administrator", None)):
    user = User.objects.create_user(f"schema-{{role}}", password=None)
    Membership.objects.create(user=user, role=role, team=of)
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "budgets.access.roles.RoleBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    cookie = f"sessionid={{session.session_key}}; csrftoken={TOKEN}"
    found[role] = {{"Cookie": cookie, "X-CSRFToken": "{TOKEN}"}}
for name, scopes, teams in (("read", ["read"], []), ("request", ["request"], []), ("limited", ["admin", "request"],
                            ["brand"])):
    found["key " + name] = {{"Authorization": "Bearer " + make_key("schema " + name, scopes, teams=teams)[1]}}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def headers(stack: Stack) -> dict[str, dict[str, str]]:
    return json.loads(stack.manage("shell", "-v", "0", "-c", MAKE).splitlines()[-1])


def test_no_role_and_no_key_meets_a_server_error(
    stack: Stack, headers: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """All at once: each asks little, and most of it is refused."""
    for who, sent in headers.items():
        with urlopen(Request(f"{stack.base_url}/api/v1/approval-requests", headers=sent)) as answer:
            assert answer.status == 200, who  # else nothing of theirs would be tried
    schema = tmp_path / "schema.json"
    with urlopen(f"{stack.base_url}/api/schema/?format=json") as answer:
        schema.write_bytes(answer.read())
    running = {who: started(stack, schema, sent) for who, sent in headers.items()}
    wrong = []
    for who, process in running.items():
        out, _ = process.communicate(timeout=240)
        if process.returncode:
            wrong.append(f"{who}:\n{out[-4000:]}")
    assert not wrong, "\n".join(wrong)


def started(stack: Stack, schema: Path, sent: dict[str, str]) -> "subprocess.Popen[str]":
    words = [word for name, value in sent.items() for word in ("--header", f"{name}: {value}")]
    tool = str(Path(sys.executable).with_name("schemathesis"))
    return subprocess.Popen(
        [
            tool, "run", str(schema), "--url", stack.base_url, *words, "--checks", "not_a_server_error",
            "--mode", "all", "--max-examples", "1", "--phases", "examples,fuzzing", "--no-color",
            "--request-timeout", "60", "--exclude-path", "/api/v1/events",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
