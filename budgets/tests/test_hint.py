"""Hints to workers: sent once what they are about is committed, and never a trouble to whoever asked."""

import threading
from typing import Any

import pytest
from django.db import transaction

from budgets.notices import hint

pytestmark = pytest.mark.django_db(transaction=True)


def end_of_hints() -> None:
    for thread in threading.enumerate():
        if thread.name == "tokenops-hint":
            thread.join(10)


def test_a_task_is_hinted_once_its_transaction_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(hint.current_app, "send_task", lambda task, **_: sent.append(task))
    with transaction.atomic():
        hint.hint_task("a.task")
        end_of_hints()
        assert sent == []
    end_of_hints()
    assert sent == ["a.task"]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        hint.hint_task("another.task")
        raise ZeroDivisionError
    end_of_hints()
    assert sent == ["a.task"]


def test_a_broker_that_refuses_or_does_not_answer_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = threading.Event()

    def refuses(*_: Any, **__: Any) -> None:
        answers.wait(10)
        raise OSError("no broker")

    monkeypatch.setattr(hint.current_app, "send_task", refuses)
    hint.hint_task("a.task")
    assert not caplog.records
    answers.set()
    end_of_hints()
    assert "did not take a.task" in caplog.text
