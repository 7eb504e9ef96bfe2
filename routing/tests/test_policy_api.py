"""Policies over HTTP."""

import time

import pytest
from rest_framework.test import APIClient

from budgets.access.keys import KeyHolder, make_key
from budgets.models import Organisation, Role, Team
from budgets.tests.asking import a_person
from routing.models import PolicyVersion
from routing.policy.document import written
from routing.tests.policies import a_draft, a_policy, a_rule, a_tier, live, published

pytestmark = pytest.mark.django_db
DOCUMENT = written(a_policy(a_rule("x", {"stage": ["draft"]}, tier=1)))
AT = "/api/v1/policy"


def client_of(*scopes: str, teams: tuple[int, ...] = ()) -> APIClient:
    """Requests carry a key with these scopes, maybe limited to teams by their ids."""
    client = APIClient()
    key = KeyHolder(
        make_key("Robot", ["admin"])[0].pk, "robot", 1, "robot", (), frozenset(scopes), None, frozenset(teams)
    )
    client.force_authenticate(key)
    return client


@pytest.fixture
def api():
    return client_of("admin")


def a_rule_with(**when):
    return {"rules": [{"id": "a", "name": "A", "when": when}]}


def begun(api, **values):
    answer = api.post(f"{AT}/drafts", {"title": "Cheaper drafts", **values}, "json")
    assert answer.status_code == 201, answer.content
    return answer


def test_the_policy_in_force_and_versions(api):
    said = api.get(AT).json()
    assert (said["number"], said["live"], said["state"]) == (1, True, "published")
    assert [tier["name"] for tier in said["document"]["tiers"]] == ["Economy", "Standard", "Premium"]
    published(a_policy())
    listed = api.get(f"{AT}/versions").json()["results"]
    assert [(one["number"], one["live"]) for one in listed] == [(2, True), (1, False)]
    assert "document" not in listed[0]
    assert api.get(f"{AT}/versions/1").json()["document"] == said["document"]
    assert api.get(f"{AT}/versions/9").status_code == 404


def test_a_draft_from_begin_to_force(api):
    answer = begun(api, note="why")
    draft, tag = answer.json(), answer["ETag"]
    at = f"{AT}/drafts/{draft['id']}"
    assert (draft["state"], draft["based_on"], draft["note"], tag) == ("draft", 1, "why", '"1"')
    saved = api.put(at, {"document": DOCUMENT}, "json", headers={"If-Match": tag})
    assert (saved.status_code, saved.json()["document"], saved["ETag"]) == (200, DOCUMENT, '"2"')
    stale = api.put(at, {"document": DOCUMENT, "edit_version": 1}, "json")
    assert (stale.status_code, stale.json()["edit_version"]) == (409, 2)
    assert api.put(at, {"document": DOCUMENT}, "json").status_code == 428
    assert api.put(at, {"document": DOCUMENT}, "json", headers={"If-Match": '"x"'}).status_code == 412
    told = api.post(f"{at}/validate").json()
    assert told["can_publish"]
    assert {one["level"] for one in told["remarks"]} == {"warning"}, "these models have no price"
    compared = api.get(f"{at}/compare").json()
    assert compared["old"] == 1
    assert "rule_added" in [one["kind"] for one in compared["differences"]]
    assert api.post(f"{at}/publish", {"edit_version": 1}, "json").status_code == 409
    done = api.post(f"{at}/publish", {"reason": "cheaper"}, "json")
    assert (done.status_code, done.json()["state"], done.json()["number"]) == (200, "published", 2)
    assert written(live()) == DOCUMENT
    assert api.put(at, {"document": DOCUMENT, "edit_version": 2}, "json").status_code == 409
    assert api.delete(at).status_code == 409
    back = api.post(f"{AT}/versions/1/roll-back", {"reason": "dearer"}, "json")
    assert (back.status_code, back.json()["number"], back.json()["based_on"]) == (201, 3, 1)
    assert api.get(f"{AT}/versions/3/compare?with=1").json()["differences"] == []
    assert api.get(f"{AT}/versions/1/compare?with=2").json()["old"] == 2
    assert api.get(f"{AT}/versions/1/compare?with=x").status_code == 422


def test_discarding_and_bringing_back(api):
    at = f"{AT}/drafts/{begun(api).json()['id']}"
    assert api.delete(at, headers={"If-Match": '"7"'}).status_code == 409
    assert api.delete(at).status_code == 204
    assert api.get(f"{AT}/drafts").json()["results"] == []
    assert len(api.get(f"{AT}/drafts?state=discarded").json()["results"]) == 1
    assert api.post(f"{at}/restore").json()["state"] == "draft"
    assert len(api.get(f"{AT}/drafts").json()["results"]) == 1
    assert api.get(f"{AT}/drafts?state=published").status_code == 422


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], ""),
        (None, "document"),
        ({"tiers": [{"number": "1", "name": "x", "models": []}]}, "tiers.0.number"),
        ({"tiers": [{"number": 0, "name": "x", "models": []}]}, "tiers.0.number"),
        ({"tiers": [{"number": 1, "name": "\0", "models": []}]}, "tiers.0.name"),
        ({"rules": [{"id": "a", "name": "A", "when": {"wokflow": ["x"]}}]}, "rules.0.when"),
        ({"rules": [{"id": "a", "name": "A", "then": {"model": "x"}}]}, "rules.0.then.model"),
        (a_rule_with(input_tokens={"below": 2**70}), "rules.0.when.input_tokens.below"),
        (a_rule_with(complexity={"below": "2"}), "rules.0.when.complexity.below"),
        (a_rule_with(time_of_day={"from": "24:00", "to": "06:00"}), "rules.0.when.time_of_day.from"),
        ({"daily_tokens": {"staging": 0}}, "daily_tokens.staging"),
        ({"unlisted_models": "maybe"}, "unlisted_models"),
    ],
)
def test_what_cannot_be_is_told_by_its_path(api, document, path):
    answer = api.post(f"{AT}/drafts", {"title": "x", "document": document}, "json")
    assert answer.status_code == 422, answer.content
    assert list(answer.json()["errors"]) == [path]
    assert PolicyVersion.objects.filter(state="draft").count() == 0


def test_what_refuses_publishing_is_told_by_its_path(api):
    document = written(a_policy(a_rule("x", tier=9), tiers=[a_tier(1, "a/one"), a_tier(2)]))
    at = f"{AT}/drafts/{begun(api, document=document).json()['id']}"
    assert not api.post(f"{at}/validate").json()["can_publish"]
    answer = api.post(f"{at}/publish", {}, "json")
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"tiers.1.models", "rules.0.then.tier"}


def test_another_published_meanwhile_is_said_with_its_number(api):
    at = f"{AT}/drafts/{begun(api, document=DOCUMENT).json()['id']}"
    published(a_policy())
    answer = api.post(f"{at}/publish", {}, "json")
    assert (answer.status_code, answer.json()["live"]) == (409, 2)
    assert api.post(f"{at}/publish", {"over": 2}, "json").json()["number"] == 3


def test_where_a_second_person_has_to_it_waits(api):
    Organisation.objects.update(policy_needs_second=True)
    at = f"{AT}/drafts/{begun(api, document=DOCUMENT).json()['id']}"
    answer = api.post(f"{at}/publish", {}, "json")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert answer.json()["request"] == PolicyVersion.objects.get(state="waiting").request_id


ACTS = [
    ("post", "/drafts", {"title": "x"}),
    ("put", "/drafts/{pk}", {"document": {}, "edit_version": 1}),
    ("delete", "/drafts/{pk}", {}),
    ("post", "/drafts/{pk}/validate", {}),
    ("post", "/drafts/{pk}/publish", {}),
    ("post", "/drafts/{pk}/restore", {}),
    ("post", "/versions/1/roll-back", {}),
]
READS = ["", "/versions", "/versions/1", "/versions/1/compare", "/drafts", "/drafts/{pk}", "/drafts/{pk}/compare"]


def test_who_reads_and_who_changes():
    pk = a_draft(a_policy()).pk
    team = Team.objects.create(slug="content", name="Content")
    readers = [client_of("read"), client_of("admin")]
    nobody = [APIClient(), client_of("ingest"), client_of("bundle"), client_of("read", teams=(team.pk,))]
    for role, at in ((Role.VIEWER, None), (Role.FINANCE, None), (Role.APPROVER, None), (Role.BUDGET_OWNER, team)):
        client = APIClient()
        client.force_login(a_person(str(role), role, at))
        (nobody if at else readers).append(client)
    for path in (AT + one.format(pk=pk) for one in READS):
        assert all(one.get(path).status_code == 200 for one in readers), path
        assert all(one.get(path).status_code in {401, 403} for one in nobody), path
    for method, path, sent in ((method, AT + path.format(pk=pk), sent) for method, path, sent in ACTS):
        refused = [*nobody, *(one for one in readers if one is not readers[1])]
        assert {getattr(one, method)(path, sent, "json").status_code for one in refused} <= {401, 403}, path
    admin = APIClient()
    admin.force_login(a_person("Kim", Role.POLICY_ADMIN))
    assert admin.post(f"{AT}/drafts/{pk}/publish", {}, "json").status_code == 200
    assert PolicyVersion.objects.get(live=True).published_text == "kim"


def test_statements_do_not_grow_with_versions_or_rules(api, django_assert_max_num_queries):
    rules = [a_rule(f"r{n}", {"workflow": [f"w{n}"]}, tier=1) for n in range(50)]
    for n in range(3):
        published(a_policy(*rules[: 10 * (n + 1)]))
    draft = a_draft(a_policy(*rules))
    api.get(AT)
    with django_assert_max_num_queries(4):
        api.get(f"{AT}/versions")
    with django_assert_max_num_queries(14):
        api.post(f"{AT}/drafts/{draft.pk}/validate")


def test_too_much_and_too_deep_is_refused_at_once(api):
    many = {"rules": [{"id": f"r{n}", "name": "x"} for n in range(30_000)]}
    began = time.process_time()
    answer = api.post(f"{AT}/drafts", {"title": "Many", "document": many}, "json")
    assert answer.status_code == 422
    assert answer.json()["errors"] == {"rules": ["There can be at most 500 of these."]}
    assert time.process_time() - began < 2
    for deep in ("[" * 200_000 + "]" * 200_000, '{"title": "x", "document": ' + '{"a":' * 50_000 + "1" + "}" * 50_001):
        for at in (f"{AT}/drafts", "/api/v1/decide"):
            assert api.generic("POST", at, deep, "application/json").status_code in {400, 422}, at


def test_a_body_is_json_and_no_larger_than_allowed(api, settings):
    for bad in ("{", "NaN", '{"title": NaN}', "\ufeff{}", "1" * 5_000, b"\xff", '{"title": "\\uD83d"}'):
        answer = api.generic("POST", f"{AT}/drafts", bad, "application/json")
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json"), bad
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    answer = api.post(f"{AT}/drafts", {"title": "x" * 1_000}, "json")
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (413, "too-large")
