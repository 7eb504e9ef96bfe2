"""A real LiteLLM proxy in a process of its own, from .venv-litellm, without the internet and without a database."""

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PROGRAM = CHECKOUT / ".venv-litellm" / "bin" / "litellm"
READY_SECONDS = 120
OFFLINE = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_DISABLE_LAZY_CALLBACK_RELOAD": "True",
    "NO_PROXY": "127.0.0.1,localhost",
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass
class Answer:
    """`body` as parsed, `events` of a stream as parsed `data:` lines (texts where they are no JSON)."""

    status: int
    headers: dict[str, str]
    body: Any
    events: list[Any]

    @property
    def error(self) -> dict[str, Any]:
        """What the plugin said in the body of a refusal."""
        fields: dict[str, Any] = self.body["error"]["provider_specific_fields"]
        return fields


class Proxy:
    def __init__(self, folder: Path, port: int, key: str) -> None:
        self.folder, self.key = folder, key
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "proxy.log"
        self.process: subprocess.Popen[bytes] | None = None

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
        """One call as a client makes it."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), sent)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return read(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as problem:
            return read(problem.code, dict(problem.headers), problem.read())

    def chat(self, model: str, *, headers: Mapping[str, str] | None = None, say: str = "hi", **body: Any) -> Answer:
        messages = body.pop("messages", [{"role": "user", "content": say}])
        return self.post("/v1/chat/completions", {"model": model, "messages": messages, **body}, headers)

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health/liveliness", timeout=5):
                    return
            except OSError:
                assert self.process is not None
                over = self.process.poll() is not None or time.monotonic() > deadline
                assert not over, f"the proxy did not start:\n{self.tail()}"
                time.sleep(0.2)


def read(status: int, headers: dict[str, str], content: bytes) -> Answer:
    small = {name.lower(): value for name, value in headers.items()}
    text = content.decode()
    if "event-stream" in small.get("content-type", ""):
        events = [parsed(line[5:].strip()) for line in text.splitlines() if line.startswith("data:")]
        return Answer(status, small, None, events)
    return Answer(status, small, parsed(text), [])


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def open_proxy(folder: Path, config: Mapping[str, Any], port: int, **environment: str) -> Iterator[Proxy]:
    """A ready proxy with this configuration; gone afterwards."""
    key = f"sk-{secrets.token_hex(24)}"
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config)))
    proxy = Proxy(folder, port, key)
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    with proxy.log.open("wb") as log:
        proxy.process = subprocess.Popen(
            [PROGRAM, "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env={**inherited, **OFFLINE, "LITELLM_MASTER_KEY": key, **environment},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        proxy.wait_ready()
        yield proxy
    finally:
        proxy.process.send_signal(signal.SIGTERM)
        try:
            proxy.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            proxy.process.kill()
            proxy.process.wait()
