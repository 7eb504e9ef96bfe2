"""Apply the levers to past calls, each alone and all together in their order, and sum what that saves. Pure.

What levers save together is never a sum of what each saves alone: each changes the call that those before it left.
"""

from collections.abc import Mapping, Sequence
from heapq import heappush, heappushpop

from reports.savings.call import Call, Pricing
from reports.savings.lever import Known, Lever, Shape, Terms, Unknown
from reports.savings.result import Found, OfWorkflow

EXAMPLES = 10  # calls kept for each lever and workflow


class Replay:
    """The levers on their way through the calls of all workflows, in any order."""

    def __init__(self, levers: Sequence[Lever], shapes: Mapping[str, Shape], known: Known) -> None:
        self._pricing = Pricing(known.prices, known.now)
        self.workflows: dict[str, OfWorkflow] = {}
        self._terms: dict[str, list[tuple[Lever, Terms, Found]]] = {}
        self._examples: dict[tuple[str, str], list[tuple[int, int, int, int]]] = {}
        for slug, shape in shapes.items():
            of = self.workflows[slug] = OfWorkflow(cost=shape.cost)
            mine = self._terms[slug] = []
            for lever in levers:
                learnt = lever.learn(shape, known)
                if isinstance(learnt, Unknown):
                    of.levers[lever.key] = Found(unknown=learnt.says)
                elif learnt is not None:
                    found = of.levers[lever.key] = Found(terms=learnt)
                    mine.append((lever, learnt, found))

    def add(self, call: Call) -> None:
        """Change the next call by each lever alone, and by all together."""
        of = self.workflows[call.workflow]
        of.calls += 1
        if call.cost is None:
            of.unknown += 1
            return
        of.before += call.cost
        together, cost = call, call.cost
        for lever, terms, found in self._terms[call.workflow]:
            alone = lever.applies(call, terms)
            if alone is not call:
                self._count(lever, found, call, alone)
            following = lever.applies(together, terms) if together.made else together
            if following is not together:
                after = self._pricing.after(call, following)
                if after is not None:
                    found.together += cost - after
                    together, cost = following, after
        of.after += cost

    def _count(self, lever: Lever, found: Found, call: Call, alone: Call) -> None:
        after = self._pricing.after(call, alone)
        if after is None or call.cost is None:
            found.unpriced += 1
            return
        found.calls += 1
        found.alone += call.cost - after
        kept = self._examples.setdefault((call.workflow, lever.key), [])
        example = (call.cost - after, -call.id, call.cost, after)
        if len(kept) < EXAMPLES:
            heappush(kept, example)
        else:
            heappushpop(kept, example)

    def found(self) -> dict[str, OfWorkflow]:
        """By workflow, with the examples of each lever, the largest saving first."""
        for (slug, key), kept in self._examples.items():
            examples = [(-number, cost, after) for _, number, cost, after in sorted(kept, reverse=True)]
            self.workflows[slug].levers[key].examples = examples
        return self.workflows
