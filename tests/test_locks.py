"""Advisory locks: a number stands for one thing, or two that have nothing to do with each other wait for each other."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_no_two_advisory_locks_share_a_number():
    named = [
        number
        for floor in ("budgets", "usage", "routing", "reports", "tokenops_site")
        for path in (ROOT / floor).rglob("*.py")
        for stated in re.findall(r"^[A-Z_, ]*LOCK(?:: \w+)? = ([0-9_, ]+)", path.read_text(), re.MULTILINE)
        for number in stated.replace(" ", "").split(",")
        if number
    ]
    assert len(named) >= 15
    assert [number for number, times in Counter(named).items() if times > 1] == []
