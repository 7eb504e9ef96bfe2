"""Requests written together: each gets its own answer, none waits for a timer, an error reaches all it concerns."""

import json
import threading

import pytest
from django.db import connection

from usage.ingest.decode import decode
from usage.ingest.together import Together, split, take_together
from usage.ingest.write import Answer, Sender
from usage.models import IngestBatch, LedgerEntry
from usage.tests.events import a_sender, an_event

SENDER = Sender(1, "s")


def items(*events: object):
    return decode(json.dumps(list(events)).encode(), "application/json", {}, 100)


def test_an_answer_is_split_by_request():
    said = [{"index": 1, "id": "b", "status": "rejected"}, {"index": 2, "id": "c", "status": "duplicate"}]
    one, two, three = split(Answer(2, 1, 0, 1, said), [2, 1, 1])
    assert (one.accepted, one.rejected, one.items[0]["index"]) == (1, 1, 1)
    assert (two.accepted, two.duplicate, two.items[0]["index"]) == (0, 1, 0)
    assert (three.accepted, three.items) == (1, [])


def together_while_the_first_writes(outcome):
    """Start one request, hold its write until three more wait, then let go; the sizes written, and the results."""
    together, entered, let_go = Together(), threading.Event(), threading.Event()
    written: list[int] = []
    results: list[object] = []

    def write(sender, everything):
        written.append(len(everything))
        if len(written) == 1:
            entered.set()
            assert let_go.wait(10)
        return outcome(everything)

    def request(name: str) -> None:
        try:
            results.append(together.take(SENDER, items(an_event(name)), write))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=request, args=("first",))]
    threads[0].start()
    assert entered.wait(10)
    for name in "abc":
        threads.append(threading.Thread(target=request, args=(name,)))
        threads[-1].start()
    while len(together.waiting) < 3:
        pass
    let_go.set()
    for thread in threads:
        thread.join(10)
    assert not together.is_writing
    return written, results


def test_those_who_arrive_during_a_write_are_written_in_one_go():
    written, results = together_while_the_first_writes(lambda everything: Answer(len(everything)))
    assert written == [1, 3]
    assert [answer.accepted for answer in results] == [1, 1, 1, 1]


def test_an_error_reaches_everyone_it_concerns_and_the_next_can_write():
    def refuse(everything):
        raise ConnectionError("gone")

    written, results = together_while_the_first_writes(refuse)
    assert written == [1, 3]
    assert all(isinstance(result, ConnectionError) for result in results)


@pytest.mark.django_db(transaction=True)
def test_many_single_posts_at_once_are_each_taken_once():
    sender = a_sender()
    answers: list[tuple[str, Answer]] = []

    def post(thread: int) -> None:
        try:
            for n in range(20):
                name = f"{thread % 4}-{n}"  # every event comes from four threads
                answers.append((name, take_together(sender, items(an_event(name)))))
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LedgerEntry.objects.count() == 80
    assert sum(answer.accepted for _, answer in answers) == 80
    assert sum(answer.duplicate for _, answer in answers) == 240
    assert IngestBatch.objects.count() <= 80
    assert all(answer.accepted + answer.duplicate == 1 for _, answer in answers)
