"""Processes that take, spend and give back leases at once, and are killed at any moment: what a fleet of gateways does.

`python -m usage.tests.lease_racers SECONDS SEED SOURCE`, on the database of DATABASE_URL. Says as JSON how
many were killed. A fault of any process other than being killed is printed, and ends all of them with 1.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback
from datetime import timedelta
from typing import Any

SPENDERS = 8
A_TOKEN = 1_000  # nano-dollars: the price that the test makes
KILLED = signal.SIGKILL


def main(seconds: float, seed: int, source: int) -> None:
    import django

    django.setup()
    from django.conf import settings

    from budgets.leases import fold, release, take, terms  # noqa: F401  once, for all that are forked
    from budgets.limits import evaluate  # noqa: F401
    from usage.ingest import decode, write  # noqa: F401
    from usage.rollups import fold as rollups  # noqa: F401

    settings.HINT_TASKS = []  # nobody listens, and each process would set up Celery first
    terms.LASTS, terms.GRACE = timedelta(seconds=1), timedelta(seconds=4)
    chance, ends, kills = random.Random(seed), time.monotonic() + seconds, 0
    running = {fork(role, chance.random(), ends, source): role for role in [spend] * SPENDERS + [tidy] * 2}
    while running:
        time.sleep(0.05)
        now = time.monotonic()
        if now < ends and chance.random() < 0.1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(list(running)), KILLED)
                kills += 1
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            role = running.pop(pid)
            if os.WIFSIGNALED(status) and now < ends:
                running[fork(role, chance.random(), ends, source)] = role
            elif not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
                sys.exit(1)
    sys.stdout.write(json.dumps({"kills": kills}))


def fork(role: Any, seed: float, ends: float, source: int) -> int:
    """A process of its own in this role; its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        role(random.Random(seed), ends, source)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def spend(chance: random.Random, ends: float, source: int) -> None:
    """A gateway: reserves, calls, reports, gives back; sometimes forgets to, sometimes says everything twice."""
    from budgets.leases.release import Over, release, renew
    from budgets.leases.take import Asker, NothingFree, Wish, take

    while time.monotonic() < ends:
        name = chance.choice(["strict", "sloppy"])
        wish = Wish("money", name, amount=chance.randint(1, 10_000) * A_TOKEN, at_least=A_TOKEN)
        asker = Asker(source_id=source, once=str(chance.random()) if chance.random() < 0.3 else "")
        try:
            taken = take(wish, asker)
            if asker.once:
                assert take(wish, asker).lease.pk == taken.lease.pk
        except NothingFree as none:
            assert none.code in ("all-reserved", "nothing-left"), none.code
            time.sleep(0.03)
            continue
        lease, began = taken.lease, time.monotonic()
        left, used = lease.amount, 0
        for _ in range(chance.randint(1, 4)):
            tokens = chance.randint(0, left // A_TOKEN)
            if name == "sloppy" and chance.random() < 0.1:
                tokens = left // A_TOKEN + chance.randint(1, 5_000)  # estimated too low
            if time.monotonic() - began > 0.9:
                try:
                    renew(lease)
                    began = time.monotonic()
                except Over:
                    break
            used, left = used + tokens * A_TOKEN, max(0, left - tokens * A_TOKEN)
            is_last = chance.random() < 0.1
            if is_last:
                release(lease, used)  # before that call is reported
            report(chance, source, name, lease.key, tokens)
            if is_last:
                break
        if chance.random() < 0.8:
            release(lease, used)


def report(chance: random.Random, source: int, workflow: str, lease: str, tokens: int) -> None:
    """The call's event, by the real intake; sometimes again, as a sender does that got no answer."""
    from datetime import UTC, datetime

    from usage.ingest.decode import decode
    from usage.ingest.write import Intake, Sender

    event = {
        "id": f"{os.getpid()}-{chance.random()}", "time": datetime.now(UTC).isoformat(), "workflow": workflow,
        "provider": "acme", "model": "test-model", "input_tokens": tokens, "output_tokens": 0, "lease_id": lease,
    }  # fmt: skip
    for again in range(1 if chance.random() < 0.9 else 2):
        items = decode(json.dumps(event).encode(), "application/json", {}, 10)
        answer = Intake(Sender(source, "gateway"), items).take()
        assert (answer.accepted, answer.duplicate) == (1 - again, again), answer


def tidy(chance: random.Random, ends: float, source: int) -> None:
    """A worker: judges budgets, sums charges, folds rollups, all the time."""
    from budgets.leases.fold import fold_leases
    from budgets.limits.evaluate import evaluate_due
    from usage.rollups.fold import fold_all

    while time.monotonic() < ends:
        chance.choice([evaluate_due, fold_leases, fold_all])()
        time.sleep(chance.random() * 0.1)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
