"""A small server, and clients of it."""

import pytest
from small_server import SmallServer
from tokenops_sdk import PolicyClient


@pytest.fixture
def server():
    server = SmallServer()
    yield server
    server.stop()


@pytest.fixture
def make(server):
    """`make(**options)`: a client of the server that follows only when told to; closed at the end."""
    made = []

    def make(url=None, **options):
        client = PolicyClient(url or server.url, "tok_key", **{"follow": False, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
