"""Alert rules over HTTP: list, make, change, archive, mute, test, and what they would have told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.problems import Problem
from budgets.access.reachable import fetched, reachable
from budgets.access.sent import asked, body, invalid, named
from budgets.alerts import rules as edit
from budgets.alerts.rules import RuleValues
from budgets.alerts.trigger import Trigger
from budgets.audit.record import Actor
from budgets.models import AlertRule, Channel, Team
from routing.alerts.history import DAYS
from routing.alerts.preview import preview_of
from routing.alerts.reaching import CHANGE
from routing.alerts.rule_shapes import (
    AlertMuteSerializer,
    AlertPreviewSerializer,
    AlertReasonSerializer,
    AlertRulePatchSerializer,
    AlertRuleSerializer,
    AlertRuleValuesSerializer,
    AlertTestedSerializer,
    AlertTriggerSerializer,
)
from routing.alerts.saving import make_rule, save_rule
from routing.alerts.trial import send_trial
from routing.alerts.triggers import TRIGGERS

STATES = ("in-use", "muted", "archived")
SHOWN_AS = {"team_id": "team", "channel_ids": "channels", "owner_id": "owner"}
GONE = "What this rule tells of is no longer there. It can only be archived."


class Ruled:
    """Reading needs the scope `read`, changing `admin`, or the right to change alert rules, of the rule's team."""

    required_scope = "admin"
    read_scope = "read"
    permission = CHANGE
    narrowed = True


def rules_for(who: Any) -> QuerySet[AlertRule]:
    rows = reachable(AlertRule, who).select_related("team", "owner").prefetch_related("channels")
    return rows.order_by("name", "pk")


def shown(request: Request, pk: int) -> Any:
    """A rule as it is now in the database."""
    return AlertRuleSerializer(rules_for(request.user).get(pk=pk)).data


@contextmanager
def as_problems(trigger: Trigger | None = None) -> Iterator[None]:
    """What an edit refuses, as a problem document."""
    try:
        yield
    except edit.InvalidRule as error:
        raise _invalid(error.problems, trigger) from error
    except edit.StaleRule as error:
        version = error.rule.edit_version
        raise Problem(409, "changed-meanwhile", "Changed meanwhile", str(error), edit_version=version) from error
    except edit.RefusedRule as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


def _invalid(problems: Mapping[str, str], trigger: Trigger | None) -> serializers.ValidationError:
    """By the field that was sent; options among `options`."""
    own = {"name", "until", "trigger", *SHOWN_AS}
    if trigger is None:
        return invalid({SHOWN_AS.get(name, name): said for name, said in problems.items()})
    found: dict[str, Any] = {SHOWN_AS.get(name, name): [said] for name, said in problems.items() if name in own}
    options = {name: [said] for name, said in problems.items() if name not in own}
    return serializers.ValidationError(found | ({"options": options} if options else {}))


def stated(sent: Mapping[str, Any], before: RuleValues | None = None) -> RuleValues:
    """Validated data as values, over those `before` where only a part was sent."""
    known = before or RuleValues()
    team_id, owner_id = known.team_id, known.owner_id
    if "team" in sent:
        team_id = named("team", Team, sent["team"])
    if "owner" in sent:
        owner_id = person(sent["owner"])
    return RuleValues(
        name=sent.get("name", known.name),
        options={**known.options, **sent.get("options", {})},
        team_id=team_id,
        urgent=sent.get("urgent", known.urgent),
        channel_ids=tuple(dict.fromkeys(sent["channels"])) if "channels" in sent else _live(known.channel_ids),
        owner_id=owner_id,
    )


def _live(channel_ids: tuple[int, ...]) -> tuple[int, ...]:
    """Those that are still there: one that was removed meanwhile is no reason to refuse another change."""
    return tuple(Channel.objects.filter(pk__in=channel_ids, archived_at=None).values_list("pk", flat=True))


def person(username: str | None) -> int | None:
    """The id of somebody who may sign in; 422 at `owner` where there is no such person."""
    if not username:
        return None
    found = (
        User.objects.filter(username=username.replace("\0", ""), is_active=True).values_list("pk", flat=True).first()
    )
    if found is None:
        raise invalid({"owner": "There is nobody with this user name."})
    return int(found)


@extend_schema_view(
    get=extend_schema(
        summary="List alert rules",
        description="By name, those in reach. Archived ones only when asked for.",
        parameters=[OpenApiParameter("state", str, enum=STATES), OpenApiParameter("team", str)],
        tags=["alerts"],
    )
)
class RuleListView(Ruled, generics.ListCreateAPIView[AlertRule]):
    """All rules in reach, and one more."""

    serializer_class = AlertRuleSerializer
    queryset = AlertRule.objects.none()

    def get_queryset(self) -> QuerySet[AlertRule]:
        wanted, team = asked(self.request, "state", STATES), self.request.query_params.get("team", "")
        rows, now = rules_for(self.request.user).filter(archived_at__isnull=wanted != "archived"), timezone.now()
        if wanted == "muted":
            rows = rows.exclude(muted_at=None).exclude(muted_until__lte=now)
        return rows.filter(team__slug=team.replace("\0", "")) if team else rows

    @extend_schema(
        summary="Make an alert rule",
        description="It tells of what happens from now on. Whoever is limited to teams names one of them.",
        request=AlertRuleValuesSerializer,
        responses={201: AlertRuleSerializer},
        tags=["alerts"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(AlertRuleValuesSerializer, request)
        trigger = TRIGGERS[sent["trigger"]]
        with as_problems(trigger):
            made = make_rule(Actor.of_request(request), request.user, trigger, stated(sent), sent.get("reason", ""))
        return Response(shown(request, made.pk), status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One alert rule", tags=["alerts"]))
class RuleView(Ruled, generics.RetrieveAPIView[AlertRule]):
    """One rule: shown, changed, archived."""

    serializer_class = AlertRuleSerializer
    queryset = AlertRule.objects.none()

    def get_queryset(self) -> QuerySet[AlertRule]:
        return rules_for(self.request.user)

    @extend_schema(
        summary="Change an alert rule",
        description="Only what is sent changes. Where it tells of something else than before, it tells of what happens"
        " from now on. 409 when `edit_version` is given and not the present one.",
        request=AlertRulePatchSerializer(partial=True),
        responses=AlertRuleSerializer,
        tags=["alerts"],
    )
    def patch(self, request: Request, pk: int) -> Response:
        rule = _fetched(request, pk)
        sent = body(AlertRulePatchSerializer, request, partial=True)
        trigger = TRIGGERS.get(rule.trigger)
        if trigger is None:
            raise Problem(409, "refused", "Not possible now", GONE)
        # What was not sent comes from this reading, which must still be true when it is saved.
        version = sent.get("edit_version", rule.edit_version)
        with as_problems(trigger):
            values = stated(sent, RuleValues.of_row(rule))
            save_rule(
                Actor.of_request(request), request.user, rule, trigger, values, sent.get("reason", ""), version
            )  # fmt: skip
        return Response(shown(request, pk))

    @extend_schema(
        summary="Archive an alert rule",
        description="It tells of nothing more; its alerts and its history stay.",
        responses={204: None},
        tags=["alerts"],
    )
    def delete(self, request: Request, pk: int) -> Response:
        edit.archive(Actor.of_request(request), _fetched(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _fetched(request: Request, pk: int) -> AlertRule:
    """A rule that the caller may change: 404 outside their reach, 403 without the right."""
    return fetched(rules_for(request.user), request.user, CHANGE, pk=pk)


class MuteView(Ruled, APIView):
    """POST mutes."""

    @extend_schema(
        summary="Mute an alert rule",
        description="Its alerts are written, nobody is told.",
        request=AlertMuteSerializer,
        responses=AlertRuleSerializer,
        tags=["alerts"],
    )
    def post(self, request: Request, pk: int) -> Response:
        rule = _fetched(request, pk)
        sent = body(AlertMuteSerializer, request)
        with as_problems():
            edit.mute(Actor.of_request(request), rule, sent["until"], sent["reason"])
        return Response(shown(request, pk))


class UnmuteView(Ruled, APIView):
    """POST unmutes."""

    @extend_schema(
        summary="Unmute an alert rule", request=AlertReasonSerializer, responses=AlertRuleSerializer, tags=["alerts"]
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        rule = _fetched(request, pk)
        sent = body(AlertReasonSerializer, request)
        with as_problems():
            edit.unmute(Actor.of_request(request), rule, sent["reason"])
        return Response(shown(request, pk))


class TrialView(Ruled, APIView):
    """POST sends a test."""

    @extend_schema(
        summary="Send a marked test to a rule's channels",
        description="409 for a rule that tells no channel.",
        request=None,
        responses={202: AlertTestedSerializer},
        tags=["alerts"],
    )
    def post(self, request: Request, pk: int) -> Response:
        rule = _fetched(request, pk)
        with as_problems():
            names = send_trial(Actor.of_request(request), rule)
        return Response({"channels": names}, status=status.HTTP_202_ACCEPTED)


class PreviewView(Ruled, APIView):
    """GET replays."""

    @extend_schema(
        summary="What an alert rule would have told",
        description="On real history of the last `days` (1 to 90).",
        parameters=[OpenApiParameter("days", int)],
        responses=AlertPreviewSerializer,
        tags=["alerts"],
    )
    def get(self, request: Request, pk: int) -> Response:
        rule = fetched(rules_for(request.user), request.user, pk=pk)
        days = request.query_params.get("days", str(DAYS))
        if not (days.isascii() and days.isdecimal() and len(days) < 4 and 1 <= int(days) <= DAYS):
            raise invalid({"days": f"Ask for 1 to {DAYS} days."})
        if rule.trigger not in TRIGGERS:
            raise Problem(409, "refused", "Not possible now", GONE)
        kept = RuleValues.of_row(rule)
        values = replace(kept, channel_ids=_live(kept.channel_ids))
        found = preview_of(None, TRIGGERS[rule.trigger], values, timezone.now(), int(days))
        if found.problems:
            raise Problem(409, "refused", "Not possible now", " ".join(found.problems.values()))
        return Response(AlertPreviewSerializer(found).data)


class TriggerListView(Ruled, APIView):
    """What there is to tell of."""

    @extend_schema(
        summary="What alert rules can tell of",
        description="Each with its options.",
        responses=AlertTriggerSerializer(many=True),
        tags=["alerts"],
    )
    def get(self, request: Request) -> Response:
        return Response(AlertTriggerSerializer(list(TRIGGERS.values()), many=True).data)
