"""One real proxy with the plugin for all tests of the traps; each test publishes the policy that it needs."""

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdk.tests_litellm.office import Office, open_office
from sdk.tests_litellm.provider import Provider, open_provider
from sdk.tests_litellm.proxy import PROGRAM, Answer, Proxy, open_proxy
from tokenops_site.serve.command import free_port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest reads this file in every run, since the folder's name begins with test.
    ours = any(Path(__file__).parent in item.path.parents for item in items)
    if ours and not os.access(PROGRAM, os.X_OK):
        pytest.exit("make test-litellm installs LiteLLM's proxy and runs these tests.", returncode=2)


def deployment(name: str, model: str, provider: Provider, **more: Any) -> dict[str, Any]:
    """One of the proxy's models; OpenAI's address ends in /v1, Anthropic's does not."""
    base = provider.url + ("/v1" if model.startswith("openai/") else "")
    return {"model_name": name, "litellm_params": {"model": model, "api_key": "none", "api_base": base} | more}


def configuration(provider: Provider, **settings: Any) -> dict[str, Any]:
    failing = {"mock_response": "litellm.RateLimitError"}
    return {
        "model_list": [
            deployment("small", "openai/gpt-4o-mini", provider),
            deployment("middle", "openai/gpt-4o", provider),
            deployment("large", "anthropic/claude-opus-4-1", provider),
            deployment("mocked", "openai/gpt-4o-mini", provider, mock_response="a mocked answer"),
            deployment("falls-to-small", "openai/gpt-4.1", provider, **failing),
            deployment("falls-to-large", "openai/gpt-4.1", provider, **failing),
            deployment("endless", "openai/endless-gpt", provider),
            deployment("endless-claude", "anthropic/endless-claude", provider),
            deployment("embed", "openai/text-embedding-3-small", provider),
        ],
        "router_settings": {
            "num_retries": 0,
            "fallbacks": [{"falls-to-small": ["small"]}, {"falls-to-large": ["large"]}],
        },
        "litellm_settings": settings,
    }


@pytest.fixture(scope="session")
def office() -> Iterator[Office]:
    with open_office() as opened:
        yield opened


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with open_provider() as opened:
        yield opened


def plugin_environment(office: Office, folder: Path) -> dict[str, str]:
    return {
        "TOKENOPS_URL": office.url,
        "TOKENOPS_KEY": "a-key",
        "TOKENOPS_STATE_DIR": str(folder / "state"),
        "TOKENOPS_SPOOL_DIR": str(folder / "spool"),
    }


@pytest.fixture(scope="session")
def running(office: Office, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    config = configuration(provider, callbacks="tokenops_sdk.litellm.handler")
    with open_proxy(folder, config, free_port(), **plugin_environment(office, folder)) as proxy:
        yield proxy


class Gateway:
    """The proxy, with what it is told and what it tells."""

    def __init__(self, proxy: Proxy, office: Office, provider: Provider) -> None:
        self.proxy, self.office, self.provider = proxy, office, provider
        self.session = secrets.token_hex(6)  # events of the test before may still be on their way
        self.headers = {"X-TokenOps-Session": self.session}

    def obey(self, **changes: Any) -> None:
        """Publish a policy, and wait until the proxy goes by it."""
        revision = self.office.publish(**changes)
        deadline = time.monotonic() + 10
        while not any(one.get("revision") == int(revision[2:]) for one in self.office.reports):
            assert time.monotonic() < deadline, f"not obeyed: {self.office.reports[-3:]}\n{self.proxy.tail()}"
            time.sleep(0.02)

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        return self.proxy.post(path, body, self.headers | (headers or {}))

    def chat(self, name: str, *, headers: dict[str, str] | None = None, **body: Any) -> Answer:
        return self.proxy.chat(name, headers=self.headers | (headers or {}), **body)

    def events(self) -> list[dict[str, Any]]:
        """All of this test, so far."""
        return self.office.having(session=self.session)

    def event(self, seconds: float = 15.0, **wanted: Any) -> dict[str, Any]:
        """The one event with these members."""
        found = self.office.wait_for(1, seconds, session=self.session, **wanted)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def gateway(running: Proxy, office: Office, provider: Provider) -> Gateway:
    """With the plain policy."""
    provider.served.clear()
    found = Gateway(running, office, provider)
    found.obey()
    return found
