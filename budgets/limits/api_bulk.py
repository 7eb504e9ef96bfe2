"""One act on several budgets over HTTP: tried first, done whole or not at all, undone whole."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
from budgets.access.reachable import reachable
from budgets.access.roles import CHANGE_BUDGET
from budgets.access.sent import body
from budgets.audit.record import Actor
from budgets.limits import bulk
from budgets.limits.api import Budgeted, as_problems
from budgets.limits.bulk import BulkAct
from budgets.limits.serializers import SETTINGS_HELP, SettingField, in_units, owner_id_of, plain
from budgets.models import Budget


class ChosenSerializer(serializers.Serializer[Any]):
    """A budget, and the version that was read: a newer one refuses the whole act."""

    slug = serializers.CharField(max_length=128)
    edit_version = serializers.IntegerField(required=False, min_value=1)


class BulkSerializer(serializers.Serializer[Any]):
    """What to do, and to which. For `change` only what is sent changes."""

    act = serializers.ChoiceField(bulk.ACTS)
    budgets = ChosenSerializer(many=True, allow_empty=False)
    percent = serializers.DecimalField(
        max_digits=6, decimal_places=2, required=False, help_text="Raises amounts; negative lowers them."
    )
    thresholds = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1000), required=False, max_length=50
    )
    on_exhausted = serializers.ChoiceField(Budget.Action.choices, required=False)
    action_settings = serializers.DictField(child=SettingField(), required=False, help_text=SETTINGS_HELP)
    owner = serializers.CharField(
        required=False, allow_null=True, max_length=150, help_text="A user name; null for nobody."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    dry_run = serializers.BooleanField(default=False, help_text="Say what would change, and change nothing.")


class BulkLineSerializer(serializers.Serializer[Any]):
    """One budget. `problem` says why it is left out; then nothing of it changes."""

    slug = serializers.CharField()
    status = serializers.CharField(help_text="Before.")
    before = serializers.DictField(help_text="Amount in dollars, tokens or calls; thresholds, on_exhausted, owner_id.")
    after = serializers.DictField()
    problem = serializers.CharField(allow_blank=True)


class BulkAnswerSerializer(serializers.Serializer[Any]):
    """`undo` is what `POST …/bulk/undo` takes; null where nothing was changed."""

    changed = serializers.IntegerField(help_text="How many budgets change.")
    lines = BulkLineSerializer(many=True)
    undo = serializers.DictField(child=serializers.IntegerField(), allow_null=True)


class SpanSerializer(serializers.Serializer[Any]):
    """The rows of history of one act, by position."""

    first = serializers.IntegerField(min_value=1)
    last = serializers.IntegerField(min_value=1)


class BulkView(Budgeted, generics.GenericAPIView[Budget]):
    """Several budgets in one act."""

    serializer_class = BulkSerializer
    queryset = Budget.objects.all()

    @extend_schema(
        summary="Change, pause, resume or archive several budgets",
        description="One transaction and a row of history for each. Those that cannot change are left out and say why;"
        " 409, and nothing is done, when one of them is not at the `edit_version` that was sent. At most 500.",
        request=BulkSerializer,
        responses=BulkAnswerSerializer,
        tags=["budgets"],
    )
    def post(self, request: Request) -> Response:
        values = body(BulkSerializer, request)
        act, budgets = _act(values), _budgets(values["budgets"], request.user)
        if problem := bulk.problem_with(act, len(budgets)):
            raise serializers.ValidationError({"act": [problem]})
        lines = bulk.preview(act, budgets)
        undo = None
        done = sum(line.is_done for line in lines)
        if done and not values["dry_run"]:
            stated = {one["slug"]: one.get("edit_version") for one in values["budgets"]}
            versions = {one.pk: stated[one.slug] or one.edit_version for one in budgets}
            with as_problems():
                told = bulk.apply(Actor.of_request(request), act, versions, values["reason"])
            undo, done = {"first": told[0].position, "last": told[-1].position}, len(told)
        return Response({"changed": done, "lines": [_line(line) for line in lines], "undo": undo})


class BulkUndoView(Budgeted, generics.GenericAPIView[Budget]):
    """Take a whole act back."""

    serializer_class = SpanSerializer
    queryset = Budget.objects.all()

    @extend_schema(
        summary="Undo an act on several budgets",
        description="All of it or nothing: 409 when one of them was changed since.",
        request=SpanSerializer,
        responses={200: serializers.ListSerializer(child=serializers.CharField())},
        tags=["budgets"],
    )
    def post(self, request: Request) -> Response:
        sent = body(SpanSerializer, request)
        with as_problems():
            back = bulk.undo(Actor.of_request(request), sent["first"], sent["last"])
        return Response([budget.slug for budget in back])


def _act(values: dict[str, Any]) -> BulkAct:
    thresholds = values.get("thresholds")
    return BulkAct(
        values["act"],
        percent=values.get("percent"),
        thresholds=None if thresholds is None else tuple(thresholds),
        on_exhausted=values.get("on_exhausted"),
        action_settings=values.get("action_settings"),
        owner_id=(owner_id_of(values["owner"]) or 0) if "owner" in values else None,
    )


def _budgets(chosen: Sequence[dict[str, Any]], who: Any) -> list[Budget]:
    slugs = {one["slug"] for one in chosen}
    if len(slugs) > bulk.MOST:
        raise Problem(422, "too-many", "Too many", f"Choose at most {bulk.MOST} budgets at once.")
    found = list(reachable(Budget, who, CHANGE_BUDGET).filter(slug__in=slugs).order_by("slug"))
    if missing := slugs - {one.slug for one in found}:
        raise serializers.ValidationError({"budgets": [f"There is no budget “{one}”." for one in sorted(missing)]})
    return found


def _line(line: bulk.Line) -> dict[str, Any]:
    def said(values: Any) -> dict[str, Any]:
        return {
            "amount": plain(in_units(values.amount, values.metric)),
            "thresholds": list(values.thresholds),
            "on_exhausted": values.on_exhausted,
            "action_settings": dict(values.action_settings),
            "owner_id": values.owner_id,
        }

    return {
        "slug": line.budget.slug,
        "status": line.budget.status,
        "before": said(line.before),
        "after": said(line.after),
        "problem": line.problem,
    }
