"""From a question to everything that is shown of it: figures, what they are compared with, tables, answers."""

from dataclasses import dataclass

from reports.figures.answers import Question, questions
from reports.figures.arithmetic import Figures, compute
from reports.figures.asked import Asked
from reports.figures.calls import agents, revenue_by_customer
from reports.figures.reading import ROWS_SHOWN, read, workflow_rows
from reports.figures.tables import Reads, Table, every_table
from reports.spend.sums import readable


@dataclass(frozen=True)
class Gathered:
    """`figures` are of the window; `done` of its complete days and `before` of those compared with, or None."""

    asked: Asked
    figures: Figures
    done: Figures | None
    before: Figures | None
    tables: dict[str, Table]
    questions: tuple[Question, ...]
    reads: Reads


def gather(asked: Asked, most: int = ROWS_SHOWN) -> Gathered:
    """Everything, with at most `most` users, customers and applications. A fixed number of statements.

    Elasticity, which is of complete days, is that of them where the window still runs.
    """
    flows = workflow_rows()
    now = read(asked.scope, asked.window, most, flows)
    other, complete = asked.before, asked.window.complete
    before = read(asked.scope, other, most, flows) if other else None
    done = None
    if other and complete:
        done = now if complete == asked.window else read(asked.scope, complete, most, flows)
    looked_at = readable(asked.window) == asked.window
    reads = Reads(
        now,
        done,
        before,
        agents(asked.scope, asked.window) if looked_at else None,
        revenue_by_customer(asked.scope, asked.window) if looked_at else None,
    )
    tables = every_table(reads)
    of_done = compute(done, before) if done else None
    return Gathered(
        asked,
        compute(now).grown(of_done),
        of_done,
        compute(before) if before else None,
        tables,
        questions(reads, tables),
        reads,
    )
