"""Outcomes from CSV: dry run, errors by line, once only, undo."""

import pytest

from budgets.models import Organisation, Team, Workflow
from tests.people import someone
from usage.imports.kinds import all_kinds
from usage.models import OutcomeMessage
from usage.outcomes.apply import apply_outcomes
from usage.tests.events import price_the_model
from usage.tests.imports_made import checked, counts, first_rows, imported, said, taken, undone
from usage.tests.telling import call, run

pytestmark = pytest.mark.django_db(transaction=True)
FILE = """\
Run,Workflow,Status,Decided_at,Reviewed_by,Minutes,Score,Revenue,Cases,Misrouted,Id
brief-1,seo,Approved,2026-11-18 11:05,ann,4.5,4,"$1,200.50",2,yes,
brief-1,seo,shipped,2026-11-19,,,,,,no,
brief-2,seo,sent back,2026-11-18 11:20,bob,6,,,,,r-7
brief-3,seo,fine,,,,,,,,
brief-4,seo,approved,,,,6,,,,
brief-5,seo,approved,2031-01-01,,,,,,,
,seo,approved,,,,,,,,
brief-6,seo,approved,,,,,,1.5,,
brief-7,seo,approved,,,,,,,maybe,
brief-2,seo,rejected,2026-11-18 11:20,bob,6,,,,,r-7
brief-1,seo,shipped,2026-11-19,,,,,,no,
"""


@pytest.fixture(autouse=True)
def rows(time_machine):
    time_machine.move_to("2026-11-20T12:00:00Z", tick=False)
    first_rows()
    Organisation.objects.update(time_zone="Asia/Kolkata")
    price_the_model()


def test_a_file_is_checked_line_by_line_and_taken_once():
    call("1", "brief-1")
    run_of = imported(FILE, "outcomes")
    assert counts(run_of) == (3, 7, 1, 0), said(run_of)
    assert [(line, column) for line, column, _ in said(run_of)] == [
        (5, "Status"), (6, "Score"), (7, "Decided_at"), (8, "Run"), (9, "Cases"), (10, "Misrouted"), (11, "Id"),
    ]  # fmt: skip
    assert said(run_of)[0][2] == (
        "“fine” is no outcome. Use one of: completed, approved, rejected, reworked, shipped, failed."
    )
    assert dict(map(tuple, run_of.summary)) == {"Runs": "2", "Approved": "1", "Sent back": "1", "Shipped": "1"}
    apply_outcomes()
    one = run("brief-1")
    assert (one.outcome, one.revenue, one.cases, one.reviewer) == ("shipped", 1_200_500_000_000, 2, "ann")
    noon = OutcomeMessage.objects.get(outcome="shipped").time
    assert noon.isoformat() == "2026-11-19T06:30:00+00:00", "noon in Kolkata"
    assert counts(checked(FILE, "outcomes")) == (0, 7, 4, 0), "the same file again brings nothing"

    assert undone(run_of).status == "undone"
    assert (run("brief-1").outcome, OutcomeMessage.objects.filter(taken_back_at=None).count()) == ("open", 0)
    assert counts(imported(FILE, "outcomes")) == (3, 7, 1, 0), "and may be brought again"
    apply_outcomes()
    assert run("brief-1").outcome == "shipped"


def test_the_example_can_be_imported():
    assert counts(imported(all_kinds()["outcomes"].example, "outcomes")) == (2, 0, 0, 0)


def test_whose_right_is_for_a_team_speaks_of_its_workflows_only():
    team = Team.objects.create(slug="brand", name="Brand")
    Workflow.objects.create(slug="own", name="Own", team=team, status="production")
    file = taken("run_id,workflow,outcome\na,own,approved\nb,other,approved\nc,,approved\n", "outcomes")
    file.requested_by = someone("budget_owner", team)
    kind = all_kinds()["outcomes"]
    prepared = kind.prepare(file)
    assert kind.read({"run_id": "a", "workflow": "own", "outcome": "approved"}, prepared).workflow == "own"
    for workflow in ("other", ""):
        with pytest.raises(ValueError, match="Your role"):
            kind.read({"run_id": "b", "workflow": workflow, "outcome": "approved"}, prepared)
