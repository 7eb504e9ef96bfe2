"""Make load over HTTP and measure it: requests a second with wrk where it is installed, latencies one by one."""

import http.client
import multiprocessing
import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from urllib.parse import urlsplit


def requests_a_second(
    url: str, headers: Mapping[str, str], expect: int, seconds: int = 4, connections: int = 16
) -> float:
    """Keep-alive requests over `connections`. Fails when the answers are not of status `expect`."""
    assert status_of(url, headers) == expect, f"{url} does not answer {expect}"
    if not shutil.which("wrk"):
        return _own_client(url, headers, seconds, connections)
    given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    run = subprocess.run(
        ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", *given, url], capture_output=True, text=True, check=True
    )
    if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
        raise SystemExit(f"{url}: {run.stdout}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout).group(1))


def status_of(url: str, headers: Mapping[str, str]) -> int:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    connection.request("GET", f"{where.path}?{where.query}", headers=dict(headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def _own_client(url: str, headers: Mapping[str, str], seconds: int, connections: int) -> float:
    """Without wrk: two processes of raw sockets. Slower than nginx, so a ratio to it is flattered."""
    print("  (no wrk: Python makes the load, which limits the fastest server)")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return sum(pool.starmap(_pump, [(url, dict(headers), seconds, connections // 2)] * 2))


def _pump(url: str, headers: Mapping[str, str], seconds: int, connections: int) -> float:
    where = urlsplit(url)
    lines = [
        f"GET {where.path} HTTP/1.1",
        f"Host: {where.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        one = socket.create_connection((where.hostname, where.port))
        one.sendall(request)
        selector.register(one, selectors.EVENT_READ)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(1):
            answer = key.fileobj.recv(65536)
            while not answer.endswith(b"\r\n\r\n"):  # a 304 has no body
                answer += key.fileobj.recv(65536)
            key.fileobj.sendall(request)
            done += 1
    return done / (time.perf_counter() - began)


def latencies(url: str, times: int, headers: Mapping[str, str] | None = None, expect: int = 200) -> list[float]:
    """Milliseconds of each of `times` requests, one after the other on one connection, sorted."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=30)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", where.path, headers=dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == expect, answer.status
    return sorted(taken)


def percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
