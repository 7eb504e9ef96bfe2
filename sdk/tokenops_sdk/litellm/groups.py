"""Which models a proxy has: LiteLLM's groups, and the provider and model behind each in the price book's words."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tokenops_sdk.asking import Model
from tokenops_sdk.litellm.payload import canonical, named

LASTS = 10.0  # seconds until the proxy's list is read again; models may be added while it runs
ANY = "*"

Split = Callable[[str, str | None], tuple[str, str]]


def split_by_name(model: str, provider: str | None) -> tuple[str, str]:
    """Provider and model by what stands before the slash; LiteLLM's own rules know more."""
    head, slash, rest = model.partition("/")
    return (provider or head, rest) if slash else (provider or "", model)


class Groups:
    """An index over the deployments that `listed` returns, LiteLLM's `model_list` and aliases of groups.

    A deployment's `model_info` may say `tokenops_provider` and `tokenops_model`, where its own name does not: of an
    Azure deployment, or of a model that is hosted elsewhere.
    """

    def __init__(
        self,
        listed: Callable[[], tuple[Iterable[Mapping[str, Any]], Mapping[str, Any]]],
        split: Split = split_by_name,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listed, self._split, self._clock = listed, split, clock
        self._until = float("-inf")
        self._behind: dict[str, list[Model]] = {}
        self._groups: dict[Model, list[str]] = {}
        self._wildcards: dict[str, str] = {}
        self._aliases: Mapping[str, Any] = {}

    def behind(self, group: str) -> Model:
        """The model of a group's first deployment, or what the name itself says."""
        self._refresh()
        alias = self._aliases.get(group)
        group = str(alias.get("model") if isinstance(alias, Mapping) else alias) if alias else group
        models = self._behind.get(group)
        return models[0] if models else self.called(group)

    def having(self, model: Model, preferred: str = "") -> str | None:
        """A group that serves the model: the preferred one if it does, else the first; None where none does."""
        self._refresh()
        groups = self._groups.get(model)
        if groups:
            return preferred if preferred in groups else groups[0]
        for provider in (model.provider, ANY):
            if provider in self._wildcards:
                return f"{self._wildcards[provider] or model.provider}/{model.model}"
        return None

    def deployed(self, name: str, info: object = None) -> Model:
        """The model of one deployment: LiteLLM's name of it and its `model_info`."""
        if isinstance(info, Mapping) and info.get("tokenops_model"):
            provider = str(info.get("tokenops_provider") or self.called(name).provider)
            return Model(canonical(provider), str(info["tokenops_model"]))
        return self.called(name)

    def called(self, name: str, provider: str | None = None) -> Model:
        """What a name says by LiteLLM's rules."""
        try:
            found_provider, found = self._split(name, provider)
        except Exception:  # LiteLLM raises for names that it does not know
            found_provider, found = named(name, provider or "")
        return Model(canonical(found_provider or ""), found)

    def _refresh(self) -> None:
        now = self._clock()
        if now < self._until:
            return
        deployments, self._aliases = self._listed()
        behind: dict[str, list[Model]] = {}
        groups: dict[Model, list[str]] = {}
        wildcards: dict[str, str] = {}
        for one in deployments:
            group, params = str(one.get("model_name") or ""), one.get("litellm_params") or {}
            name = str(params.get("model") or "")
            if group.endswith(ANY):
                prefix = group.removesuffix(ANY).removesuffix("/")
                wildcards.setdefault(canonical(prefix) or ANY, prefix)
                continue
            model = self.deployed(name, one.get("model_info"))
            behind.setdefault(group, []).append(model)
            if group not in groups.setdefault(model, []):
                groups[model].append(group)
        self._behind, self._groups, self._wildcards, self._until = behind, groups, wildcards, now + LASTS
