"""Every role at every address and API operation: what answers, what refuses, what is not there.

The table is tests/roles.csv, one line for each method of each address. Cells: `yes` (let in, whatever is then said of
what was sent), `no` (403), `404`, `sign-in` (401, or sent to the sign-in page); empty where it does not apply. After a
change of addresses or rights write it anew, look at the difference, and commit it:

    WRITE_ROLES=1 pytest tests/test_roles.py
"""

import csv
import io
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.template.backends.django import Template
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from budgets.access.keys import KeyHolder
from budgets.models import Alert, ApiKey, Budget, PlannedActivity, Team, Workflow
from reports.models import Finding
from routing.models import Snippet, SnippetVersion
from tests.addresses import addresses, routes
from tests.company import one_of_everything
from tests.people import someone

pytestmark = [pytest.mark.site, pytest.mark.django_db]
TABLE = Path(__file__).with_name("roles.csv")
COMPANY = ("viewer", "budget_owner", "approver", "finance", "policy_admin", "administrator")
TEAM = ("viewer", "budget_owner", "approver")
SCOPES = tuple(ApiKey.Scope.values)
STRANGERS = tuple(f"{role}_of_other" for role in TEAM)
KEYS = (*(f"key_{scope}" for scope in SCOPES), "key_admin_of_team", "key_admin_of_other", "key_request_of_other")
COLUMNS = (*COMPANY, *(f"{role}_of_team" for role in TEAM), *STRANGERS, "no_role", "signed_out", *KEYS)
# What is nothing but one's own account, whatever one's role: budgets/tests/test_sign_in.py.
OWN = re.compile(r"profile/|password/|sign-|second-factor|invitation/|company/|account")
# Whoever comes; the bundle's keys are read from memory, see usage/tests/test_limited_keys.py.
OPEN = {
    "healthz", "readyz", "jwks", "favicon", "api-schema", "policy-bundle", "policy-bundle-notices", "opa-archive",
    "schema-list", "schema-document", "mailed-report-end",
}  # fmt: skip
VERBS = {"/api/": ("get", "post", "put", "patch", "delete"), "/": ("get", "post")}
SECRET = "Sekretov"  # in the name of everything that is the first team's


class Answer(NamedTuple):
    status_code: int
    content: bytes
    location: str


Ask = Callable[..., Answer]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of refusals need not be logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def made(lasting: None, django_db_blocker: Any) -> SimpleNamespace:
    with django_db_blocker.unblock():
        found = one_of_everything(timezone.now())
        found.other = Team.objects.get(slug="support")
    return found


def holder(name: str, made: SimpleNamespace) -> KeyHolder:
    """A key with the scope of its column, limited to the team of its column."""
    scope, _, whose = name.removeprefix("key_").partition("_of_")
    teams = {"team": [made.team], "other": [made.other]}.get(whose, [])
    ids, slugs = frozenset(team.pk for team in teams), frozenset(team.slug for team in teams)
    return KeyHolder(10**6, name, 1, "gateway", (("gateway", 1),), frozenset({scope}), None, ids, slugs)


def person(name: str, made: SimpleNamespace) -> User | None:
    """Whom a column is about."""
    role, _, whose = name.partition("_of_")
    if name == "signed_out":
        return None
    if name == "no_role":
        return User.objects.create_user("nobody")
    return someone(role, {"team": made.team, "other": made.other}.get(whose), name=name)


@contextmanager
def asking(name: str, made: SimpleNamespace) -> Iterator[Ask]:
    """A function from verb and path to the answer; what was done is undone after each, session and all."""
    client, headers, session = Client(raise_request_exception=False), {}, ""
    if name in KEYS:
        headers = {"authorization": f"Bearer {name}"}
    elif user := person(name, made):
        client.force_login(user)
        session = client.cookies["sessionid"].value

    def ask(verb: str, path: str, sent: Any = None) -> Answer:
        client.cookies.clear()
        if session:
            client.cookies["sessionid"] = session
        more = {"content_type": "application/json"} if path.startswith("/api/") else {}
        with transaction.atomic():
            answer = getattr(client, verb)(path, sent, headers=headers, **(more if verb != "get" else {}))
            content = answer.getvalue() if answer.streaming else answer.content
            transaction.set_rollback(True)
        return Answer(answer.status_code, content, answer.headers.get("Location", ""))

    with patch("budgets.access.drf.find", lambda bearer: holder(bearer, made)):
        yield ask


def said(answer: Answer) -> str:
    """The cell of an answer."""
    if answer.status_code == 401 or (answer.status_code == 302 and answer.location.startswith("/sign-in/?next=")):
        return "sign-in"
    return {403: "no", 404: "404", 405: ""}.get(answer.status_code, "yes")


def operations(made: SimpleNamespace) -> list[tuple[str, str, str]]:
    """(verb, route, path) of everything there is."""
    found = []
    for (name, path), (route, pattern) in zip(addresses(made), routes(), strict=True):
        if name in OPEN or OWN.match(route):
            continue
        view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
        beginning = "/api/" if path.startswith("/api/v1/") else "/"
        for verb in VERBS[beginning]:
            if beginning == "/" or hasattr(view, verb):
                found.append((verb, route, path))
    return found


def table(made: SimpleNamespace) -> dict[tuple[str, str], dict[str, str]]:
    """(verb, route) → column → cell. Pages are not rendered: who comes in is decided before."""
    rows = {(verb, route): {} for verb, route, _ in operations(made)}
    faults = []
    nothing = {"paths": {}, "components": {}}
    with (
        patch.object(Template, "render", lambda *_, **__: ""),
        patch.object(SchemaGenerator, "get_schema", lambda *_, **__: nothing),
    ):
        for column in COLUMNS:
            with asking(column, made) as ask:
                for verb, route, path in operations(made):
                    if column in KEYS and not path.startswith("/api/v1/"):
                        continue
                    answer = ask(verb, path)
                    rows[verb, route][column] = said(answer)
                    if answer.status_code >= 500:
                        faults.append(f"{column} {verb} {path}: {answer.status_code}")
    assert not faults, "\n".join(faults)
    return {key: cells for key, cells in rows.items() if any(cells.values())}  # else nothing answers to the verb


def written(rows: dict[tuple[str, str], dict[str, str]]) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["verb", "address", *COLUMNS])
    for (verb, route), cells in sorted(rows.items(), key=lambda one: (one[0][1], VERBS["/api/"].index(one[0][0]))):
        out.writerow([verb.upper(), f"/{route}", *(cells.get(column, "") for column in COLUMNS)])
    return text.getvalue()


def test_who_comes_in_where(made):
    rows = table(made)
    now = written(rows)
    if os.environ.get("WRITE_ROLES"):
        TABLE.write_text(now)
    kept = TABLE.read_text().splitlines()
    changed = sorted(set(kept) ^ set(now.splitlines()))
    holds_whatever_the_table_says(rows)
    assert not changed, "Not as in tests/roles.csv (see above how to write it anew):\n" + "\n".join(changed)


ADMINISTRATORS = re.compile(r"(settings|api/v1|export)/(people|keys)\b")
# What those see whose role is for a team. Everything else is about the company.
FOR_TEAMS = re.compile(
    r"(?!calendar/import|forecast/make|workflows/(unassigned|assign)|plan/budgets|plan/<int:year>/(copy|no-team))"
    r"($|api/$|menu/|budget|workflows|plan/|calendar|approvals|alerts|slack/actions|outcomes|unusual|figures|routing/snippets"
    r"|(export|series)/(budgets|workflows|plan|calendar|approvals|approval-rules|alerts|alert-rules|snippets|outcomes|unusual|figures)\b"
    r"|savings/|export/(savings|what-if)\b|settings/chargeback/|export/chargeback\b|settings/reports/"
    r"|forecast/|(export|series)/forecast\b"
    r"|spend/|runs/|views/|(export|series)/(spend-why\b|spend[./]|views\.)"
    r"|api/v1/(budgets|workflows|teams|plan|activities|approval-requests|grants|alerts|alert-rules|alert-triggers|tiers|events|outcomes|runs|snippets|findings|figures)\b)"
)
# One object of the first team's, and what can be done with it.
OBJECTS = re.compile(
    r"(export/|series/|api/v1/)?(budgets|workflows|calendar|activities|approvals|approval-requests|alerts|outcomes|unusual|findings)/(-/)?<"
    r"|(export/)?spend/(runs|calls)/<|runs/<|plan/<int:year>/teams/<|api/v1/teams/<|(routing|export|api/v1)/snippets/<"
)


def holds_whatever_the_table_says(rows: dict[tuple[str, str], dict[str, str]]) -> None:
    """What must be so, however the table was written."""
    wrong = []
    for (verb, route), cells in rows.items():
        let_in = {column for column, cell in cells.items() if cell == "yes"}
        if ADMINISTRATORS.match(route):
            most = {"administrator", "key_admin"}
        else:
            most = set(COLUMNS) - {"signed_out", "no_role"}
            if not FOR_TEAMS.match(route):
                most -= {column for column in COLUMNS if "_of_" in column}
            if OBJECTS.match(route):
                most -= {column for column in COLUMNS if column.endswith("_of_other")}
        wrong += [f"{verb} /{route}: {column} comes in" for column in sorted(let_in - most)]
        if OBJECTS.match(route):  # whoever of the team comes in, their like of another team finds nothing there
            wrong += [
                f"{verb} /{route}: {role} of another team hears {cells[f'{role}_of_other']}, not 404"
                for role in TEAM
                if cells[f"{role}_of_team"] == "yes" and cells[f"{role}_of_other"] != "404"
            ]
    assert not wrong, "\n".join(wrong)


def make_secret(made: SimpleNamespace) -> None:
    """Everything of the first team is called so that its name is found wherever it stands."""
    Team.objects.filter(pk=made.team.pk).update(name=f"{SECRET} team", cost_centre=SECRET)
    flows = Workflow.objects.filter(team=made.team)
    slugs = list(flows.values_list("slug", flat=True))
    Budget.objects.filter(scope__workflow__in=slugs).update(name=f"{SECRET} budget")
    flows.update(name=f"{SECRET} flow", description=SECRET)
    PlannedActivity.objects.filter(team=made.team).update(name=f"{SECRET} launch")
    Snippet.objects.filter(team=made.team).update(name=f"{SECRET} text")
    SnippetVersion.objects.filter(snippet__team=made.team).update(text=SECRET, note=SECRET)
    Alert.objects.filter(team=made.team).update(title=f"{SECRET} alert", facts={})
    Finding.objects.filter(team=made.team).update(name=f"{SECRET} spend", cause=SECRET, subject=SECRET)
    for request in (made.request, made.approved):
        type(request).objects.filter(pk=request.pk).update(reason=f"{SECRET} reason")


SEARCHES = (f"?q={SECRET}", "?team=performance", "?status=all&state=all&tab=decided&view=list")


def seen_by(column: str, made: SimpleNamespace) -> list[str]:
    """Addresses whose answers hold the secret, searched for and not."""
    found = []
    with asking(column, made) as ask:
        for name, path in addresses(made):
            if name in OPEN or (column in KEYS and not path.startswith("/api/v1/")):
                continue
            answer = ask("get", path)
            if SECRET.encode() in answer.content:
                found.append(path)
            if answer.status_code != 200:
                continue
            found += [path + more for more in SEARCHES if SECRET.encode() in shown(ask("get", path + more), more)]
    return found


def shown(answer: Answer, asked: str) -> bytes:
    """The body, but for the words that were searched for, which a page repeats."""
    if SECRET not in asked:
        return answer.content
    if answer.status_code != 200:
        return b""
    return re.sub(rb"(value=\"(?:q=)?|[?&;]q=|\xe2\x80\x9c)Sekretov", b"", answer.content)


@pytest.mark.parametrize("column", ["budget_owner_of_other", "approver_of_other", "key_admin_of_other"])
def test_nothing_of_another_team_is_in_any_answer(made, column):
    make_secret(made)
    seen = seen_by(column, made)
    assert not seen, "\n".join(seen)


def test_its_own_people_see_it(made):
    make_secret(made)
    with asking("viewer_of_team", made) as ask:
        for path in (
            "/budgets/",
            "/workflows/",
            "/calendar/",
            "/plan/",
            "/approvals/",
            "/alerts/",
            "/unusual/",
            "/export/budgets.csv",
            "/routing/snippets/",
            "/routing/snippets/tone/",
        ):
            assert SECRET.encode() in ask("get", path).content, path
        assert ask("get", "/").location == "/budgets/"  # the Overview is about the whole company
        menu = ask("get", "/menu/").content.decode()
        assert "/plan/" in menu and "/history/" not in menu and "/settings/" not in menu


def test_nothing_is_told_or_made_of_another_team_by_typing_its_name(made):
    make_secret(made)
    typed = {
        "name": "Mine", "covers_0": "workflow", "value_0": "ad-copy", "amount": "500", "metric": "money",
        "period": "month", "thresholds": "80", "on_exhausted": "alert", "pace": "even", "starts_on": "", "ends_on": "",
    }  # fmt: skip
    with asking("budget_owner_of_other", made) as ask:
        answer = ask("post", "/budgets/new/", typed)
        assert answer.status_code == 422 and b"Support only" in answer.content
        for path in ("/budget-meaning/", "/budget-suggestion/"):
            answer = ask("post", path, typed)
            assert SECRET.encode() not in answer.content
            assert not re.search(rb"\$\d", answer.content.replace(b"$500", b"")), path
        body = {"name": "Mine", "amount": "5", "scope": {"team": "performance"}}
        assert ask("post", "/api/v1/budgets", body).status_code == 422
        own = body | {"scope": {"team": "support"}}
        assert ask("post", "/api/v1/budgets", own).status_code == 201
        moved = ask("patch", "/api/v1/workflows/reply-assistant", {"team": "performance"})
        assert moved.status_code == 422
        picked = {"pick": ["ad-copy"], "act": "pause", "step": "apply", "reason": "x", "seen_ad-copy": "1"}
        answer = ask("post", "/budgets/bulk/", picked)
        assert answer.status_code == 422 and SECRET.encode() not in answer.content
        lines = {"lines": [{"month": "2026-11", "team": "performance", "amount": "5"}]}
        assert ask("put", "/api/v1/plan", lines).status_code == 422
