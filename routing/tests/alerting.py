"""Rules, alerts, channels and people for tests of alert pages."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from budgets.alerts.findings import Finding
from budgets.alerts.rules import RuleValues, create_rule
from budgets.alerts.tell import tell
from budgets.models import NANO, Alert, AlertRule, Channel, Membership, Organisation, Team, Workflow
from budgets.tests.made import ACTOR
from routing.alerts.triggers import TRIGGERS
from usage.models import Run


def briefs_in_berlin() -> None:
    """A company without rules, in Berlin, whose Content team has one workflow."""
    AlertRule.objects.all().delete()
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    Workflow.objects.create(slug="briefs", name="SEO briefs", team=content(), default_tier=1, status="production")


def a_channel(name: str = "Marketing alerts") -> Channel:
    return Channel.objects.create(name=name, transport="email", address="marketing@example.com")


def a_rule(key: str = "one_run", **values: object) -> AlertRule:
    """Of runs above five dollars, unless told otherwise; as if it had been there for a month."""
    values.setdefault("options", {"amount": "5"} if key == "one_run" else {})
    rule = create_rule(ACTOR, TRIGGERS[key], RuleValues(**values))
    AlertRule.objects.filter(pk=rule.pk).update(since=rule.since - timedelta(days=30))
    rule.refresh_from_db()
    return rule


def an_alert(rule: AlertRule, now: datetime, title: str = "$12 for one run.", team: Team | None = None) -> Alert:
    finding = Finding(
        cause=f"run:{title}", title=title, happened_at=now - timedelta(minutes=5), path="/workflows/briefs/",
        amount=12 * NANO, team_id=team.pk if team else None, facts={"Workflow": "SEO briefs", "Cost": "$12"},
    )  # fmt: skip
    return tell(rule, [finding], now)[0]


def a_run(workflow: Workflow, when: datetime, cost: int, run_id: str) -> Run:
    return Run.objects.create(
        workflow_id=workflow.pk, run_id=run_id, first_call=when, last_call=when, calls=3, cost=cost * NANO, max_step=4
    )


def client_of(name: str, role: str = "", team: Team | None = None, **values: object) -> Client:
    """Signed in with one role: for a team, or for the whole company."""
    user = User.objects.create_user(name, first_name=name.title(), **values)
    if role:
        Membership.objects.create(user=user, role=role, team=team)
    client = Client()
    client.force_login(user)
    client.person = user
    return client


def content() -> Team:
    return Team.objects.get_or_create(slug="content", defaults={"name": "Content"})[0]


def ads() -> Team:
    return Team.objects.get_or_create(slug="ads", defaults={"name": "Ads"})[0]


def text(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(body.decode())


def rows(answer: Any) -> list[dict[str, str]]:
    """Of an answer in CSV."""
    return list(csv.DictReader(io.StringIO(text(answer))))
