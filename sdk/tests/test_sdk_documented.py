"""The examples of docs/sdk.md run as they stand there."""

import asyncio
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_server import SmallServer, bundle, workflow

TEXT = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()
FIRST, RUN, ASYNC = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def server(monkeypatch, tmp_path):
    server = SmallServer()
    server.publish(bundle(2, workflows={"troubleshooting": workflow(max_run_steps=12)}))
    monkeypatch.setenv("TOKENOPS_URL", server.url)
    monkeypatch.setenv("TOKENOPS_KEY", "tok_example")
    yield server
    server.stop()


def ask_the_model(model, max_tokens=None):
    return SimpleNamespace(input_tokens=1180, output_tokens=350)


def local(code, tmp_path):
    return code.replace("/var/lib/my-service", str(tmp_path)).replace('state_dir="…"', f'state_dir="{tmp_path}"')


def test_the_examples(server, tmp_path):
    names = {"ask_the_model": ask_the_model}
    exec(local(FIRST, tmp_path), names)
    assert names["decision"].allowed
    exec(RUN, names)
    assert names["run"].so_far().steps == 12
    assert names["decision"].reasons[0].text.startswith("This would be step 13 of the run")
    assert names["usage"].close()
    names["policy"].close()
    assert [event["workflow"] for event in server.events].count("troubleshooting") == 12
    assert server.events[0]["input_tokens"] == 1180


def test_the_example_for_asyncio(server, tmp_path):
    names = {}
    exec(
        "async def go(call, usage):\n" + textwrap.indent(local(ASYNC, tmp_path), "    ") + "\n    return decision",
        names,
    )
    from tokenops_sdk import Request

    assert asyncio.run(names["go"](Request(workflow="seo-briefs", model="small"), None)).allowed
