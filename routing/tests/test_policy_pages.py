"""What the policy's forms and buttons change, what is undone, who is told of what."""

import csv
import io

import pytest
from django.contrib.auth.models import User

from budgets.models import ApprovalRequest, Organisation
from routing.models import PolicyVersion
from routing.policy.document import written
from routing.policy.edit import policy_of, save_draft
from routing.policy.words import rule_in_words
from routing.tests.policies import ACTOR, a_draft, a_policy, a_rule, a_tier, acts, live, published

pytestmark = pytest.mark.django_db
State = PolicyVersion.State


@pytest.fixture
def lena(client):
    user = User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    client.force_login(user)
    return user


def text_of(answer):
    return answer.content.decode()


def toasts(client, path="/routing/"):
    return text_of(client.get(path)).partition('id="toasts"')[2]


def lines(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_changing_it_begins_one_draft_and_goes_on_with_an_untouched_one(client, lena):
    answer = client.post("/routing/drafts/")
    draft = PolicyVersion.objects.get(state=State.DRAFT)
    assert answer["Location"] == f"/routing/drafts/{draft.pk}/"
    assert (draft.title, draft.document) == (f"Change to version {draft.based_on.number}", draft.based_on.document)
    client.post("/routing/drafts/")
    assert PolicyVersion.objects.filter(state=State.DRAFT).count() == 1
    draft.edit_version = 2
    draft.save()
    client.post("/routing/drafts/")
    assert PolicyVersion.objects.filter(state=State.DRAFT).count() == 2


def test_a_draft_from_an_earlier_version(client, lena):
    first = published(a_policy(a_rule("old", tier=1)))
    published(a_policy())
    client.post("/routing/drafts/", {"version": first.number})
    draft = PolicyVersion.objects.get(state=State.DRAFT)
    assert (draft.title, draft.document) == (f"From version {first.number}", first.document)
    assert client.post("/routing/drafts/", {"version": "4444"}).status_code == 404


def a_post(draft, **values):
    return {"seen": draft.edit_version, "name": "Final copy", "stage": "publish", "tier": "3"} | values


def test_a_rule_is_added_changed_and_that_undone(client, lena):
    draft = a_draft(a_policy(a_rule("first", tier=1)))
    page = f"/routing/drafts/{draft.pk}/"
    answer = client.post(f"{page}rules/new/", a_post(draft, tokens_from="2,000", review="yes"))
    assert answer["Location"] == f"{page}#rules"
    draft.refresh_from_db()
    added = policy_of(draft).rules[1]
    assert (
        rule_in_words(added)
        == "If the stage is publish and the input has 2,000 tokens or more → tier 3, a person reviews"
    )
    assert added.id == "final-copy"
    answer = client.post(f"{page}rule/final-copy/", a_post(draft, name="Final", tier="2"))
    draft.refresh_from_db()
    changed = policy_of(draft).rules[1]
    assert (changed.id, changed.name, changed.then.tier, changed.when.input_tokens) == ("final-copy", "Final", 2, None)
    assert "“Final” is saved in the draft." in toasts(client, page)
    client.post(f"{page}undo/")
    draft.refresh_from_db()
    assert policy_of(draft).rules[1] == added
    assert "Undone." in toasts(client, page)
    client.post(f"{page}undo/")
    assert "nothing was undone" in toasts(client, page)
    draft.refresh_from_db()
    assert policy_of(draft).rules[1] == added


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(client, lena):
    draft = a_draft(a_policy())
    answer = client.post(f"/routing/drafts/{draft.pk}/rules/new/", a_post(draft, tokens_from="lots"))
    page = text_of(answer)
    assert answer.status_code == 422
    assert "The rule was not saved. 1 field needs a change." in page
    assert '<p class="err" id="tokens_from-err"><svg' in page
    assert 'value="lots"' in page
    draft.refresh_from_db()
    assert policy_of(draft).rules == []


def test_a_field_is_checked_while_it_is_typed_in_and_the_meaning_follows(client, lena):
    draft = a_draft(a_policy(a_rule("all", tier=1)))
    url = f"/routing/drafts/{draft.pk}/rules/check/"
    wrong = text_of(client.post(f"{url}?field=tokens_from", a_post(draft, tokens_from="lots")))
    assert wrong.startswith('<p class="err" id="tokens_from-err"><svg')
    assert "as soon as it makes sense" in wrong
    right = text_of(client.post(f"{url}?field=stage", a_post(draft)))
    assert right.startswith('<p class="err" id="stage-err"></p>')
    assert 'id="meaning" role="status" hx-swap-oob="true"' in right
    assert "If the stage is publish → Premium." in right
    assert "is never reached: “All” stands before it" in right
    assert '<option value="draft">' in right
    assert client.post(f"{url}?field=nothing", a_post(draft)).status_code == 200


def test_rules_are_moved_doubled_and_taken_out(client, lena):
    draft = a_draft(a_policy(a_rule("a", tier=1), a_rule("b", tier=2), a_rule("c", tier=1)))
    page = f"/routing/drafts/{draft.pk}/"

    def ids():
        draft.refresh_from_db()
        return [rule.id for rule in policy_of(draft).rules]

    def do(what, **values):
        client.post(f"{page}rule/{what}/", {"seen": draft.edit_version} | values)

    do("b/move", to="up")
    assert ids() == ["b", "a", "c"]
    do("b/move", to="3")
    assert ids() == ["a", "c", "b"]
    do("a/move", to="up")
    do("a/move", to="nowhere")
    assert ids() == ["a", "c", "b"]
    do("a/duplicate")
    assert ids() == ["a", "a-copy", "c", "b"]
    do("c/remove")
    assert ids() == ["a", "a-copy", "b"]
    assert f'action="{page}undo/"' in toasts(client, page)
    client.post(f"{page}undo/")
    assert ids() == ["a", "a-copy", "c", "b"]
    assert client.post(f"{page}rule/gone/remove/", {"seen": 1}).status_code == 404


def test_of_two_people_who_edit_at_once_the_second_is_told(client, lena):
    draft = a_draft(a_policy(a_rule("a", tier=1)))
    seen = draft.edit_version
    save_draft(ACTOR, draft, a_policy(a_rule("b", tier=1)), seen)
    page = f"/routing/drafts/{draft.pk}/"
    answer = client.post(f"{page}rules/new/", a_post(draft))
    assert answer.status_code == 409
    assert "Somebody changed this draft meanwhile. Nothing was saved" in text_of(answer)
    client.post(f"{page}rule/b/remove/", {"seen": seen})
    assert "Somebody changed this draft meanwhile" in toasts(client, page)
    draft.refresh_from_db()
    assert [rule.id for rule in policy_of(draft).rules] == ["b"]


def test_a_tier_is_arranged_without_saving_and_then_saved(client, lena):
    draft = a_draft(a_policy(tiers=[a_tier(1, "a/one", "a/two"), a_tier(2, "b/one")]))
    url = f"/routing/drafts/{draft.pk}/tiers/1/"
    typed = {
        "seen": draft.edit_version,
        "name": "Cheap",
        "needs_approval": "on",
        "model_0": "a/one",
        "latency_0": "1.5",
    }
    typed |= {"model_1": "a/two", "add": ""}
    moved = text_of(client.post(url, typed | {"do": "down-0"}))
    assert moved.index('value="a/two"') < moved.index('value="a/one"')
    assert "a/one is number 2 now. Nothing is saved yet." in moved
    assert 'value="1.5"' in moved
    assert 'value="Cheap"' in moved
    added = text_of(client.post(url, typed | {"do": "add", "add": "gpt-4.1"}))
    assert 'name="model_2" value="openai/gpt-4.1"' in added
    assert "$2.00 input, $8.00 output" in added
    refused = client.post(url, typed | {"do": "add", "add": "b/one"})
    assert refused.status_code == 422
    assert "b/one is in Tier" not in text_of(refused)
    assert "b/one is in Standard. A model belongs to one tier" in text_of(refused)
    assert policy_of(PolicyVersion.objects.get(pk=draft.pk)).tiers[0].name == "Economy"
    assert client.post(url, typed | {"add": "c/new"}).status_code == 302
    tier = policy_of(PolicyVersion.objects.get(pk=draft.pk)).tiers[0]
    assert (tier.name, tier.needs_approval, [one.model for one in tier.models]) == (
        "Cheap",
        True,
        ["one", "two", "new"],
    )
    assert tier.models[0].latency_ms == 1500


def test_tiers_are_added_and_taken_out(client, lena):
    draft = a_draft(a_policy())
    page = f"/routing/drafts/{draft.pk}/"
    assert 'name="number" value="4"' in text_of(client.get(f"{page}tiers/new/"))
    client.post(
        f"{page}tiers/new/", {"seen": draft.edit_version, "number": "4", "name": "Research", "model_0": "a/four"}
    )
    draft.refresh_from_db()
    assert [tier.name for tier in policy_of(draft).tiers] == ["Economy", "Standard", "Premium", "Research"]
    client.post(f"{page}tiers/2/remove/", {"seen": draft.edit_version})
    draft.refresh_from_db()
    assert [tier.number for tier in policy_of(draft).tiers] == [1, 3, 4]
    assert client.get(f"{page}tiers/2/").status_code == 404


def test_the_default_is_changed_and_checked(client, lena):
    draft = a_draft(a_policy())
    page = f"/routing/drafts/{draft.pk}/default/"
    typed = {"seen": draft.edit_version, "tier": "2", "unlisted_models": "block", "daily_tokens": "staging: 200k"}
    checked = text_of(client.post(f"{page}check/?field=daily_tokens", typed | {"daily_tokens": "staging"}))
    assert "write the environment, a colon" in checked
    meant = text_of(client.post(f"{page}check/?field=tier", typed))
    assert "or by Standard where it has none." in meant
    assert "Each workflow may use 200,000 tokens a day in staging" in meant
    assert client.post(page, typed | {"unlisted_models": "sell"}).status_code == 422
    assert client.post(page, typed)["Location"].endswith("#default")
    policy = policy_of(PolicyVersion.objects.get(pk=draft.pk))
    assert (policy.otherwise.tier, policy.unlisted_models, policy.daily_tokens) == (2, "block", {"staging": 200_000})


def test_remarks_stand_where_they_belong_and_a_problem_refuses_publishing(client, lena):
    draft = a_draft(a_policy(a_rule("far", tier=9), tiers=[a_tier(1, "a/one"), a_tier(2)]))
    page = f"/routing/drafts/{draft.pk}/"
    shown = text_of(client.get(page))
    assert "2 problems" in shown
    tier = shown.partition('id="tier-2"')[2].partition('class="tier"')[0]
    assert "Standard has no model. Add one, or take the tier out." in tier
    rule = shown.partition('id="rule-far"')[2].partition("</tr>")[0]
    assert "“Far” gives tier 9, which there is not." in rule
    before = live()
    answer = client.post(f"{page}publish/", {"seen": draft.edit_version, "over": draft.based_on.number})
    assert answer.status_code == 422
    assert "It was not published." in text_of(answer)
    assert live() == before


def test_it_is_compared_published_gone_back_and_that_undone(client, lena):
    first = published(a_policy(a_rule("same", {"stage": ["a"]}, tier=1), daily_tokens={"*": 5}))
    draft = a_draft(a_policy(a_rule("same", {"stage": ["a"]}, tier=1), a_rule("new", tier=2)))
    page = f"/routing/drafts/{draft.pk}/"
    compared = text_of(client.get(f"{page}compare/"))
    for said in ("2. New", "Every call → Standard", "1 stays the same", "Not there"):
        assert said in compared, said
    rows = lines(client.get(f"/export/policy-differences.csv?draft={draft.pk}"))
    assert {row["kind"] for row in rows} == {"rule_added", "daily_tokens_changed"}
    answer = client.post(f"{page}publish/", {"seen": draft.edit_version, "over": first.number})
    assert answer["Location"] == "/routing/"
    draft.refresh_from_db()
    assert (draft.live, draft.number) == (True, first.number + 1)
    told = toasts(client)
    assert f"Version {draft.number} is in force." in told
    undo = f"/routing/versions/{first.number}/roll-back/?over={draft.number}"
    assert f'action="{undo}"' in told
    assert client.get(page)["Location"] == f"/routing/versions/{draft.number}/"
    client.post(f"/routing/versions/{first.number}/roll-back/")
    assert written(live()) == first.document
    told = toasts(client)
    assert f"Version {first.number} is in force again, as version {draft.number + 1}." in told
    assert f'action="/routing/versions/{draft.number}/roll-back/?over={draft.number + 1}"' in told
    client.post(undo)  # in another tab, still open
    assert PolicyVersion.objects.get(live=True).number == draft.number + 1
    assert "was put in force meanwhile" in text_of(client.get("/routing/"))
    client.post(f"/routing/versions/{draft.number}/roll-back/")
    assert written(live()) == draft.document
    client.post(f"/routing/versions/{draft.number}/roll-back/")
    assert "says the same as" in toasts(client)
    versions = lines(client.get("/export/policy-versions.csv"))
    assert [row["in_force"] for row in versions[:2]] == ["yes", ""]
    assert versions[0]["published_by"] == "Lena Kraus"


def test_publishing_over_what_somebody_else_published_meanwhile_is_asked_about_first(client, lena):
    draft = a_draft(a_policy(a_rule("mine", tier=1)))
    seen = draft.based_on.number
    other = published(a_policy(a_rule("theirs", tier=1)))
    url = f"/routing/drafts/{draft.pk}/publish/"
    answer = client.post(url, {"seen": draft.edit_version, "over": seen})
    assert answer.status_code == 409
    assert "was published meanwhile" in text_of(answer)
    assert f'name="over" value="{other.number}"' in text_of(answer)
    assert client.post(url, {"seen": draft.edit_version, "over": other.number}).status_code == 302
    assert [rule.id for rule in live().rules] == ["mine"]


def test_a_second_person_is_asked_where_the_organisation_wants_one(client, lena):
    Organisation.objects.update(policy_needs_second=True)
    draft, before = a_draft(a_policy(a_rule("mine", tier=1))), live()
    page = f"/routing/drafts/{draft.pk}/"
    assert "Ask to publish" in text_of(client.get(page))
    answer = client.post(f"{page}publish/", {"seen": draft.edit_version, "over": draft.based_on.number})
    assert answer["Location"] == page
    shown = text_of(client.get(page))
    request = ApprovalRequest.objects.get()
    assert "It waits for a second person and cannot be changed meanwhile." in shown
    assert f'href="/approvals/{request.pk}/"' in shown
    assert "Add a rule" not in shown
    assert live() == before
    assert "Waits for a second person" in text_of(client.get("/routing/"))


def test_a_draft_is_discarded_and_brought_back(client, lena):
    draft = a_draft()
    page = f"/routing/drafts/{draft.pk}/"
    client.post(f"{page}discard/")
    told = toasts(client)
    assert f'action="{page}restore/"' in told
    assert "Bring it back" in text_of(client.get(page))
    assert client.post(f"{page}rules/new/", a_post(draft)).status_code == 409
    client.post(f"{page}restore/")
    assert PolicyVersion.objects.get(pk=draft.pk).state == State.DRAFT
    assert acts(draft)[-2:] == ["discarded", "brought back"]


def test_a_draft_has_a_name_and_a_reason(client, lena):
    draft = a_draft()
    page = f"/routing/drafts/{draft.pk}/name/"
    assert client.post(page, {"seen": draft.edit_version, "title": " ", "note": ""}).status_code == 422
    client.post(page, {"seen": draft.edit_version, "title": "Cheaper", "note": "Drafts cost too much."})
    shown = text_of(client.get(f"/routing/drafts/{draft.pk}/"))
    assert "<h1>Cheaper</h1>" in shown
    assert "Drafts cost too much." in shown
    client.post(f"/routing/drafts/{draft.pk}/undo/")
    assert PolicyVersion.objects.get(pk=draft.pk).title == draft.title


def test_hostile_forms_are_answered_with_sentences(client, lena):
    draft = a_draft(a_policy(a_rule("a", tier=1)))
    page = f"/routing/drafts/{draft.pk}/"
    for seen in ("", "-1", "x", "9" * 30, "\0"):
        assert client.post(f"{page}rules/new/", a_post(draft, seen=seen)).status_code == 409
    assert client.post(f"{page}publish/", {"seen": "x", "over": "\0"}).status_code == 409
    assert client.post(f"{page}tiers/1/", {"do": "up-99999999999999999999999"}).status_code == 200
    assert client.post(f"{page}tiers/1/", {"do": "add", "add": "\0"}).status_code == 422
    assert client.post(f"{page}rule/a/move/", {"to": "9" * 40, "seen": draft.edit_version}).status_code == 302
    assert client.get("/routing/drafts/999999/").status_code == 404


def test_a_slip_in_the_name_does_not_hide_that_somebody_else_saved(client, lena):
    draft = a_draft(a_policy())
    page = f"/routing/drafts/{draft.pk}/name/"
    seen = draft.edit_version
    save_draft(ACTOR, draft, policy_of(draft), seen, note="Sam's reason.")
    slipped = text_of(client.post(page, {"seen": seen, "title": "", "note": "Mine."}))
    assert f'name="seen" value="{seen}"' in slipped
    assert client.post(page, {"seen": seen, "title": "Mine", "note": "Mine."}).status_code == 409
    draft.refresh_from_db()
    assert draft.note == "Sam's reason."
