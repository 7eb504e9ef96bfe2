"""How fast unchanged bundles are confirmed, and what waiting clients cost.

    python -m benchmarks.bundle [--rounds 3] [--seconds 4] [--waiting 200]

A database of its own is made on the server of DATABASE_URL, or on an embedded one, and dropped. Uses nginx for the
ratio and wrk for the load where they are installed.
Prints 304 answers a second of nginx (a static file with the same bytes), of the front and of a view inside Django, in
turns on one machine, and their ratios; then the latency of a page without and with that many waiting clients.
"""

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.load import latencies, percentile, requests_a_second
from benchmarks.stack import running_stack
from tests.stack import CHECKOUT, Stack
from tokenops_site.serve.command import free_port

BUNDLE = "/api/v1/policy-bundle"
PAGE = "/sign-in/"
NGINX = """
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  default_type application/json;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; open_file_cache max=10; }}
}}
"""


def fetch(url: str, headers: dict[str, str]) -> tuple[bytes, str]:
    """Body and ETag."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return answer.read(), answer.headers["ETag"]


@contextmanager
def child(words: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(words, cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, headers: dict[str, str]) -> tuple[bytes, str]:
    deadline = time.monotonic() + 30
    while True:
        try:
            return fetch(url, headers)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def compare(stack: Stack, key: dict[str, str], rounds: int, seconds: int) -> None:
    with ExitStack() as running:
        body, etag = fetch(stack.base_url + BUNDLE, key)
        targets = {"front": (stack.base_url + BUNDLE, {**key, "If-None-Match": etag})}
        port = free_port()
        granian = [
            sys.executable,
            "-m",
            "granian",
            "--no-ws",
            "--log-level",
            "error",
            "--interface",
            "wsgi",
            "--workers",
            "2",
        ]
        words = [*granian, "--blocking-threads", "8", "--port", str(port), "benchmarks.django_304:application"]
        running.enter_context(child(words, stack.environment))
        url = f"http://127.0.0.1:{port}{BUNDLE}"
        targets["in Django"] = (url, {**key, "If-None-Match": wait_for(url, key)[1]})
        if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)  # nginx, started by root, serves as another user
            (folder / "files").mkdir()
            (folder / "files/bundle.json").write_bytes(body)
            port = free_port()
            (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
            running.enter_context(child([nginx, "-c", str(folder / "nginx.conf")]))
            url = f"http://127.0.0.1:{port}/bundle.json"
            targets["nginx file"] = (url, {"If-None-Match": wait_for(url, {})[1]})
        else:
            print("nginx is not installed: no ratio to it")
        found: dict[str, list[float]] = {name: [] for name in targets}
        for _ in range(rounds):
            for name, (url, headers) in targets.items():
                found[name].append(requests_a_second(url, headers, 304, seconds))
        one_by_one = {name: latencies(url, 2_000, headers, 304) for name, (url, headers) in targets.items()}
    median = {name: statistics.median(rates) for name, rates in found.items()}
    print(f"304 answers a second, 16 connections, median of {rounds} rounds in turns, bundle of {len(body):,} bytes")
    for name, rate in median.items():
        print(f"  {name:<11}{rate:>9,.0f}   ({', '.join(f'{one:,.0f}' for one in found[name])})")
    if "nginx file" in median:
        print(f"  front / nginx file  {median['front'] / median['nginx file']:.2f}   (goal: at least 0.20)")
    print(f"  front / in Django   {median['front'] / median['in Django']:.2f}")
    for name, taken in one_by_one.items():
        print(f"  one by one, {name:<11} p50 {percentile(taken, 50):.2f} ms   p99 {percentile(taken, 99):.2f} ms")


async def hold(url: str, headers: dict[str, str], many: int, seconds: int) -> None:
    """Open `many` long polls and keep them for `seconds`."""
    host, port = url.split("/")[2].split(":")
    given = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {BUNDLE} HTTP/1.1\r\nHost: {host}\r\n{given}Prefer: wait=60\r\n\r\n".encode()

    async def one() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        await writer.drain()
        return writer

    writers = [await one() for _ in range(many)]
    print("held", flush=True)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.close()


def waiting(stack: Stack, key: dict[str, str], many: int, rounds: int) -> None:
    """A page's latency without and with `many` clients that wait, in turns; and what they cost the push process."""
    page = stack.base_url + PAGE
    latencies(page, 100)
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for _ in range(rounds):
        found["without"].append(latencies(page, 300))
        with held(stack, key, many):
            time.sleep(1)
            found["with"].append(latencies(page, 300))
            waited = held_by(stack)
            main = stack.main_process("push")
            threads = {process.pid: process.num_threads() for process in [main, *main.children(recursive=True)]}
            megabytes = sum(psutil.Process(pid).memory_info().rss for pid in threads) / 2**20
        time.sleep(1)
    print(f"{waited} clients wait at the push process: {sum(threads.values())} threads, {megabytes:.0f} MB resident")
    for name, rounds_of in found.items():
        p50, p95 = (statistics.median(percentile(taken, percent) for taken in rounds_of) for percent in (50, 95))
        each = ", ".join(f"{percentile(taken, 95):.1f}" for taken in rounds_of)
        print(f"  page {PAGE} {name:<8} p50 {p50:5.1f} ms   p95 {p95:5.1f} ms   (p95 of each round: {each})")


@contextmanager
def held(stack: Stack, key: dict[str, str], many: int) -> Iterator[None]:
    """`many` clients in long polls, held by another process."""
    _, etag = fetch(stack.base_url + BUNDLE, key)
    words = [sys.executable, "-m", "benchmarks.bundle", "--hold", str(many), stack.push_url, key["Authorization"], etag]
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        deadline = time.monotonic() + 10
        while held_by(stack) < many and time.monotonic() < deadline:
            time.sleep(0.1)
        yield
        holder.terminate()


def held_by(stack: Stack) -> int:
    import json

    with urllib.request.urlopen(stack.push_url + "/healthz") as answer:
        return int(json.load(answer)["waiting"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--waiting", type=int, default=200)
    parser.add_argument("--hold", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.hold:
        many, url, authorization, etag = chosen.hold
        asyncio.run(hold(url, {"Authorization": authorization, "If-None-Match": etag}, int(many), 60))
        return
    with running_stack("filesystem://") as stack:
        key = {"Authorization": f"Bearer {stack.make_key(['bundle'])}"}
        wait_for(stack.base_url + BUNDLE, key)
        compare(stack, key, chosen.rounds, chosen.seconds)
        waiting(stack, key, chosen.waiting, chosen.rounds)


if __name__ == "__main__":
    main()
