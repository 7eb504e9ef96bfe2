"""Shapes that the APIs of many rooms share: reading what was sent, saying what is refused, rows that people edit."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
from budgets.audit.record import Actor

M = TypeVar("M", bound=Model)


def body(serializer: type[serializers.Serializer[Any]], request: Request, partial: bool = False) -> dict[str, Any]:
    """The body, checked by `serializer`; 422 where it does not fit. `partial`: only what is sent changes."""
    found = serializer(data=request.data, partial=partial)
    found.is_valid(raise_exception=True)
    values: dict[str, Any] = found.validated_data
    return values


def asked(request: Request, name: str, choices: Collection[str]) -> str:
    """A choice of the query string, "" where none is made; 422 for another."""
    wanted = request.query_params.get(name, "")
    if wanted and wanted not in choices:
        raise serializers.ValidationError({name: [f"Choose from: {', '.join(choices)}."]})
    return wanted


def named(name: str, model: type[Model], slug: str | None) -> int | None:
    """The id of the row with this short name, None for none; 422 at the field `name` where there is no such row."""
    if not slug:
        return None
    found = model._default_manager.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise serializers.ValidationError({name: [f"There is no {name} with the short name “{slug}”."]})
    return int(found)


def invalid(problems: Mapping[str, str]) -> serializers.ValidationError:
    """Field → sentence, as the answer 422 has it."""
    return serializers.ValidationError({name: [said] for name, said in problems.items()})


@contextmanager
def as_problems(wrong: type[Exception], refused: type[Exception]) -> Iterator[None]:
    """What an edit raises as answers: `wrong` has the `problems` of fields (422), `refused` is a sentence (409)."""
    try:
        yield
    except wrong as error:
        raise invalid(getattr(error, "problems")) from error  # noqa: B009  of whatever room
    except refused as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


class Edited:
    """Reading needs the scope `read`, changing `admin`; a person needs the right `permission`.

    `values` is the serializer of what people state, `errors` what the room's edits raise: wrong values, refused acts.
    """

    required_scope = "admin"
    read_scope = "read"
    permission = ""
    values: ClassVar[type[serializers.Serializer[Any]]]
    errors: ClassVar[tuple[type[Exception], type[Exception]]]


class EditedList(Edited, generics.ListCreateAPIView[M]):
    """All rows, and one more."""

    def make(self, actor: Actor, stated: dict[str, Any], reason: str) -> M:
        raise NotImplementedError

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        stated = body(self.values, request)
        with as_problems(*self.errors):
            made = self.make(Actor.of_request(request), stated, stated.get("reason", ""))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)


class EditedRow(Edited, generics.RetrieveAPIView[M]):
    """One row: shown, changed where only what is sent changes, removed."""

    def change(self, actor: Actor, row: M, stated: dict[str, Any], reason: str) -> M:
        raise NotImplementedError

    def remove(self, actor: Actor, row: M) -> None:
        raise NotImplementedError

    def patch(self, request: Request, pk: int) -> Response:
        row = self.get_object()
        stated = body(self.values, request, partial=True)
        with as_problems(*self.errors):
            saved = self.change(Actor.of_request(request), row, stated, stated.get("reason", ""))
        return Response(self.get_serializer(saved).data)

    def delete(self, request: Request, pk: int) -> Response:
        row = self.get_object()
        with as_problems(*self.errors):
            self.remove(Actor.of_request(request), row)
        return Response(status=status.HTTP_204_NO_CONTENT)
