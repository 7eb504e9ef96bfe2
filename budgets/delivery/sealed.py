"""The secrets of channels, sealed under SECRET_KEY: a copy of the database alone does not give them away."""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from budgets.access.sealing import CannotUnseal, seal, unseal
from budgets.models import Channel

NAME = "channel"


def sealed(secret: Mapping[str, Any] | None) -> bytes | None:
    """For `Channel.sealed`."""
    return None if secret is None else seal(json.dumps(dict(secret)).encode(), NAME, settings.SECRET_KEY)


def secret_of(channel: Channel) -> dict[str, Any]:
    """What was sealed; {} where nothing was. Raises CannotUnseal."""
    if channel.sealed is None:
        return {}
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    kept: dict[str, Any] = json.loads(unseal(bytes(channel.sealed), NAME, keys))
    return kept


__all__ = ["CannotUnseal", "sealed", "secret_of"]
