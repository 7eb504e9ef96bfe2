"""Which tests one of several processes takes as a whole: `-n auto --dist loadscope`."""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

CHECKOUT = Path(__file__).resolve().parent.parent


class FilesOfServers(LoadScopeScheduling):
    """Tests that share a stack or follow one another stay together, by file; any other goes to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return file if starts_servers(file) else nodeid


@cache
def starts_servers(file: str) -> bool:
    """Known by the marks in its text, since the process that shares out the tests does not collect them."""
    text = (CHECKOUT / file).read_text()
    return "mark.server" in text or "mark.embedded" in text
