"""Whose a charge is by the books of its month. No queries."""

from budgets.organisation.closing import BookedWorkflow, Books
from reports.chargeback.statement import Owner
from usage.models import OtherCost


class Owners:
    """`teams`: those of the month by short name, as the ledger has them; `aliases`: merged → what it counts as."""

    def __init__(self, books: Books) -> None:
        self.teams = {one.slug: one for one in books.teams.values()}
        self.aliases = {pk: one.counts_as for pk, one in books.workflows.items() if one.counts_as != pk}
        self._books = books

    def of(self, workflow: int | None, team: str) -> Owner:
        """Of use or a cost of this workflow that counts for this team; "" and None where there is none."""
        flow, its = self._counted(workflow), self.teams.get(team)
        return Owner(
            workflow=flow.slug if flow else "",
            workflow_name=flow.name if flow else "",
            team=team,
            team_name=its.name if its else team,
            cost_centre=(flow.cost_centre if flow else "") or (its.cost_centre if its else ""),
            ledger_code=(flow.ledger_code if flow else "") or (its.ledger_code if its else ""),
        )

    def of_cost(self, cost: OtherCost) -> Owner:
        """Of another cost: its team's, else that of its workflow's team."""
        flow = self._counted(cost.workflow_id)
        team = self._books.teams.get(cost.team_id or (flow and flow.team) or 0)
        return self.of(cost.workflow_id, team.slug if team else "")

    def _counted(self, workflow: int | None) -> BookedWorkflow | None:
        """What it counts as."""
        return self._books.workflows.get(self.aliases.get(workflow, workflow)) if workflow else None
