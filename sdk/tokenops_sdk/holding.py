"""What both clients are, whichever way they speak to the server: the bundle in memory and on disk, and what it says."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.following import Follower, Held, Next, State, WithoutBundle
from tokenops_sdk.keeping import Shelf
from tokenops_sdk.pacing import Pace
from tokenops_sdk.talking import checked_url, headers_for
from tokenops_sdk.telling import Reports

logger = logging.getLogger("tokenops_sdk")
FROM_ENVIRONMENT = ("url", "key", "audience", "state_dir", "without_bundle")


class PolicyHolder:
    """Decides by the newest verified bundle. Subclasses fetch it.

    `url` is the server's address, `key` an API key with the scope `bundle`. `audience` is the server's
    `BUNDLE_AUDIENCE`. In `state_dir` the last good bundle is kept, so that a start without the server goes on with it;
    None keeps nothing. With `jwks` only those public keys count, for good; without, the server's own are fetched once,
    kept, and fetched anew when something is signed with another. `without_bundle` says what holds before the first
    bundle: "block" or "allow". `name` is what the fleet's page calls this process. The server may hold a question for
    `wait` seconds (60 at most; 0: it is asked each five seconds). `on_change` hears of each new revision and refusal.

    Raises ValueError for an address or key that cannot be one, never because of the network or the disk.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        audience: str = "tokenops",
        state_dir: str | os.PathLike[str] | None = None,
        jwks: Mapping[str, Any] | None = None,
        without_bundle: WithoutBundle = "block",
        name: str | None = None,
        wait: int = 30,
        on_change: Callable[[State], None] | None = None,
    ) -> None:
        self.url = checked_url(url)
        self._headers = headers_for(key)
        self._follower = Follower(audience, jwks=jwks, without_bundle=without_bundle, wait=wait)
        self._shelf = Shelf(Path(state_dir), self.url, audience) if state_dir is not None else None
        self._name = name
        self._on_change = on_change
        self._reports = Reports(name)
        self._pace = Pace()
        if self._shelf is not None and (kept := self._shelf.load()) is not None:
            self._follower.resume(kept, self._shelf.load_freshness(), datetime.now(UTC))
            if (beat := self._follower.acknowledgement()) is not None:
                self._reports.add(beat)

    def decide(self, request: Request, now: datetime | None = None) -> Decision:
        """What the policy says of the call: in memory, at once, whatever the network does. `now` is aware."""
        return self._follower.decide(request, now or datetime.now(UTC))

    def paced(self, decision: Decision) -> Decision:
        """The decision, or a refusal where a budget slows its calls down and this process had those of the minute."""
        return self._pace.through(decision)

    def state(self, now: datetime | None = None) -> State:
        """Which revision is obeyed, until when it is vouched for, and what went wrong last."""
        return self._follower.state(now or datetime.now(UTC))

    @property
    def fail_mode(self) -> str:
        """What holds where the policy cannot be asked: last_known_good, allow or block."""
        return self._follower.fail_mode()

    @property
    def held(self) -> Held | None:
        """The bundle that is obeyed; None before the first."""
        return self._follower.held

    def _keep(self, result: Next) -> None:
        """Write to disk what must outlive the process. A disk that fails is said in the log, and costs nothing else."""
        if self._shelf is None:
            return
        try:
            if result.keep is not None:
                self._shelf.keep(result.keep)
            if result.keep_freshness is not None:
                self._shelf.keep_freshness(result.keep_freshness)
        except OSError as error:
            logger.warning("The bundle cannot be kept in %s: %s", self._shelf.folder, error)

    def _tell(self, result: Next) -> None:
        """Tell the server and whoever asked to hear of it."""
        if result.report is None:
            return
        self._reports.add(result.report)
        state = self.state()
        if result.report["answer"] == "nack":
            logger.warning("%s", state.last_error)
        if self._on_change is not None:
            try:
                self._on_change(state)
            except Exception:
                logger.exception("on_change failed")


def from_environment(names: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a client: those of `names` from TOKENOPS_<NAME> where that is set, and `options`, which go before.

    Raises ValueError where the address or the key is missing.
    """
    found = {name: value for name in names if (value := os.environ.get(f"TOKENOPS_{name.upper()}"))}
    found.update(options)
    for name in ("url", "key"):
        if not found.get(name):
            raise ValueError(f"Set TOKENOPS_{name.upper()}, or give `{name}`.")
    return found
