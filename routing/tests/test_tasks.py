"""Settling: what one step's fault must not hold up."""

import pytest

from routing import tasks

STEPS = ["open_due", "evaluate_due", "fold_charges", "expire_grants", "compile_if_changed", "look_at_crossings",
         "fold_batches"]  # fmt: skip


@pytest.mark.parametrize("faulty", STEPS)
def test_a_fault_in_one_step_stops_no_other_and_is_raised(monkeypatch, faulty):
    taken = []

    def step(name):
        def take():
            taken.append(name)
            if name == faulty:
                raise RuntimeError(name)

        return take

    monkeypatch.setattr(tasks, "follow_time_zone", lambda: None, raising=False)
    for name in STEPS:
        monkeypatch.setattr(tasks, name, step(name))
    with pytest.raises(RuntimeError, match=faulty):
        tasks.sweep()
    assert taken == STEPS
