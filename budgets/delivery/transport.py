"""What a transport is: a way for a message to leave. A new one is one small file and a line in `TRANSPORTS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from budgets.delivery.message import Message


class Temporary(Exception):
    """It could not be sent now and may be later; the sentence is shown beside the delivery.

    `after`: seconds that the receiver wants to be left alone, where it says so.
    """

    def __init__(self, sentence: str, after: int | None = None) -> None:
        super().__init__(sentence)
        self.after = after


class Refused(Exception):
    """It will never be taken as it is: tried no more, shown as failed with this sentence."""


class InvalidAddress(ValueError):
    """What was typed is no address of this transport: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a channel of this transport asks for. A secret one is sealed and never shown again."""

    name: str
    label: str
    hint: str = ""
    is_secret: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """What a channel keeps: `shown` on pages, `secret` (JSON-ready) sealed, `options` beside."""

    shown: str
    secret: dict[str, Any] | None = None
    options: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where one delivery goes. `id` is the delivery's, the same at every attempt; `sent_before` tells receivers that
    an earlier attempt may have arrived. `external` is what `send` returned for an earlier message about the same."""

    address: str
    secret: Mapping[str, Any]
    options: Mapping[str, Any]
    id: str
    attempt: int = 1
    external: Mapping[str, Any] | None = None


class Transport(Protocol):
    """`key` is what rows hold, `words` what the menu calls it."""

    key: str
    words: str
    fields: tuple[Field, ...]

    def clean(self, typed: Mapping[str, str], before: Mapping[str, Any] | None = None) -> Address:
        """What was typed, checked; InvalidAddress. `before`: the secret kept so far; an empty secret field keeps it."""
        ...

    def send(self, target: Target, message: Message) -> dict[str, Any]:
        """Send once, in at most some seconds; how the receiver names it. Raises Temporary or Refused."""
        ...
