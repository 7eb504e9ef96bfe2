"""Every page with a large company behind it: `python -m benchmarks.pages` prints p50 and p95 of each in one run.

2,000 workflows, 5,000 budgets and 200 models by default, thirty days of rollups, through the real web server, signed
in, one request at a time, the worker running beside it. The yardstick is a page of the same frame that reads nothing.
"""

import argparse
import http.client
import os
import random
import statistics
import time
from datetime import datetime, timedelta
from typing import Any

from benchmarks.stack import running_stack
from tests.stack import Stack

YARDSTICK = "/menu/"
PAGES = (
    "/",
    "/?period=year",
    "/spend/",
    "/spend/?group=workflow&stack=model",
    "/spend/runs/",
    "/spend/why/?period=7d",
    "/spend/why/?period=quarter&compare=weekdays",
    "/views/",
    "/budgets/",
    "/budgets/?q=budget+49",
    "/budgets/?status=risk&page=3",
    "/budgets/{budget}/",
    "/budgets/new/",
    "/pools/",
    "/plan/",
    "/calendar/",
    "/workflows/",
    "/workflows/?q=flow+19&page=1",
    "/workflows/?page=20",
    "/workflows/{workflow}/",
    "/workflows/unassigned/",
    "/routing/",
    "/routing/try/?workflow={workflow}&input_tokens=2000",
    "/savings/",
    "/savings/what-if/?price=2&plan=1000",
    "/figures/",
    "/figures/?period=year",
    "/data/",
    "/data/quarantine/",
    "/history/",
    "/history/?q=flow",
    "/settings/",
    "/settings/teams/",
    "/settings/keys/",
    "/settings/prices/",
    "/settings/prices/?q=gpt",
    "/settings/prices/refresh/",
    "/settings/prices/reprice/",
    "/settings/costs/",
    "/outcomes/",
    "/settings/rates/",
    "/settings/imports/",
    "/settings/people/",
    "/settings/channels/",
    "/settings/deliveries/",
    "/approvals/",
    "/approvals/card/",
    "/approvals/count/",
    "/alerts/",
    "/alerts/rules/",
    "/welcome/",
)
DAYS = 30


def fill(workflows: int, budgets: int, models: int) -> str:
    """A large company in the database of the settings; a signed-in session's cookie."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.utils import timezone

    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    flows = fill_usage(now, workflows, models)
    fill_budgets(now, budgets, workflows)
    fill_lists(flows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = Client()
    client.force_login(User.objects.filter(is_superuser=True).first())  # type: ignore[arg-type]
    return client.cookies["sessionid"].value


def fill_usage(now: datetime, workflows: int, models: int) -> list[Any]:
    """Teams, workflows, and a row for each workflow, day and three models; the workflows."""
    from budgets.models import NANO, Team, Workflow
    from usage.models import QuarterHour
    from usage.rollups.days import make_days_anew

    chance = random.Random(7)
    teams = [Team(slug=f"team-{n}", name=f"Team {n}") for n in range(40)]
    Team.objects.bulk_create(teams)
    kinds = ["production"] * 6 + ["draft"] * 2 + ["discovered", "ignored"]
    flows = [
        Workflow(slug=f"flow-{n}", name=f"Flow {n}", team=teams[n % 40], status=kinds[n % 10]) for n in range(workflows)
    ]
    Workflow.objects.bulk_create(flows)
    same = {"environment": "production", "service_tier": "standard", "stage": "", "task_type": "", "status": "ok"}
    rows = [
        QuarterHour(
            bucket=now - timedelta(days=day, hours=n % 24),
            workflow_id=flow.pk,
            team=f"team-{n % 40}",
            provider="openai",
            model=f"gpt-4.1-variant-{model}",
            tier=n % 4,
            calls=12,
            cost=chance.randrange(NANO),
            input_tokens=9000,
            output_tokens=900,
            unpriced=int(n % 50 == 0),
            **same,
        )
        for n, flow in enumerate(flows)
        for day in range(DAYS)
        for model in chance.sample(range(models), 3)
    ]
    QuarterHour.objects.bulk_create(rows, batch_size=5_000)
    make_days_anew("UTC")
    return flows


def fill_budgets(now: datetime, budgets: int, workflows: int) -> None:
    """Budgets of one workflow each, opened, with what they used each day; the worker evaluates them."""
    from budgets.models import NANO, Budget, BudgetSeries, Organisation

    chance, generation = random.Random(8), Organisation.get().generation
    limits = [
        Budget(
            slug=f"budget-{n}",
            name=f"Budget {n}",
            scope={"workflow": f"flow-{n % workflows}"},
            generation=generation,
            opened_generation=generation,
            opened_from=now - timedelta(days=60),
            opened_at=now,
            amount=chance.randrange(5, 60) * NANO,
            on_exhausted=("alert", "block", "downgrade")[n % 3],
            action_settings={"tier": 1} if n % 3 == 2 else {},
        )
        for n in range(budgets)
    ]
    Budget.objects.bulk_create(limits, batch_size=2_000)
    used = (
        BudgetSeries(
            budget=one, bucket=now - timedelta(days=day, hours=n % 24), amount=chance.randrange(2 * NANO), calls=9
        )
        for n, one in enumerate(limits)
        for day in range(DAYS)
    )
    BudgetSeries.objects.bulk_create(used, batch_size=5_000)


def fill_lists(flows: list[Any]) -> None:
    """History and quarantine."""
    from budgets.models import AuditEntry
    from usage.models import QuarantinedItem

    same = {"who_text": "lena", "origin": "web", "act": "changed", "object_type": "budgets.workflow"}
    AuditEntry.objects.bulk_create(
        AuditEntry(object_id=str(one.pk), object_name=one.name, before={"name": "a"}, after={"name": one.name}, **same)
        for one in flows * 5
    )
    QuarantinedItem.objects.bulk_create(
        QuarantinedItem(
            source_id=1,
            event_id=f"e{n}",
            code=("invalid", "conflict")[n % 2],
            problem={"detail": "No model."},
            body='{"id": 1}',
            body_digest=n.to_bytes(16, "big"),
        )
        for n in range(5_000)
    )


def wait_settled(seconds: float = 120) -> None:
    """Until the worker has evaluated every budget."""
    from budgets.models import Budget, BudgetState

    deadline = time.monotonic() + seconds
    while BudgetState.objects.count() < Budget.objects.count() and time.monotonic() < deadline:
        time.sleep(1)


def timed(connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[float, int, int]:
    """Seconds, status and bytes of one GET."""
    started = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": f"sessionid={cookie}"})
    answer = connection.getresponse()
    size = len(answer.read())
    return time.perf_counter() - started, answer.status, size


def measure(stack: Stack, paths: list[str], cookie: str, times: int) -> dict[str, Any]:
    """Path → (p50, p95, status, bytes), the pages in turn so that noise falls on all."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    taken: dict[str, list[float]] = {path: [] for path in paths}
    last: dict[str, tuple[int, int]] = {}
    for turn in range(times + 2):
        for path in paths:
            seconds, status, size = timed(connection, path, cookie)
            last[path] = (status, size)
            if turn >= 2:  # the first two warm caches and the template loader
                taken[path].append(seconds)
    return {
        path: (statistics.median(all_), sorted(all_)[int(len(all_) * 0.95)], *last[path])
        for path, all_ in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workflows", type=int, default=2_000)
    parser.add_argument("--budgets", type=int, default=5_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--only", help="pages whose path contains this")
    options = parser.parse_args()
    with running_stack(os.environ.get("BROKER_URL", "filesystem://")) as stack:
        os.environ["DATABASE_URL"] = stack.database_url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
        os.environ["SECRET_KEY"] = stack.environment["SECRET_KEY"]
        import django

        django.setup()
        cookie = fill(options.workflows, options.budgets, options.models)
        wait_settled()
        wanted = [path for path in PAGES if not options.only or options.only in path]
        paths = [YARDSTICK, *(path.format(budget="budget-1", workflow="flow-1") for path in wanted)]
        found = measure(stack, paths, cookie, options.times)
        least = found[YARDSTICK][0]
        print(
            f"{options.workflows} workflows, {options.budgets} budgets, {options.models} models, {os.cpu_count()} cores"
        )
        for path, (middle, high, status, size) in found.items():
            times = f"p50 {middle * 1e3:6.0f} ms  p95 {high * 1e3:6.0f} ms  {middle / least:6.1f} × {size:9,} B"
            print(f"{path:34} {times}{'' if status == 200 else f'  status {status}'}")


if __name__ == "__main__":
    main()
