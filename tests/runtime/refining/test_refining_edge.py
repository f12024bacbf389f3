"""The edge with two answers, against real tails, links and disks."""

import dataclasses
import itertools
import os
import threading
import time

import numpy as np
import pytest

from offramp import wire
from offramp.errors import ConfigError, DataError, JournalError, JournalFullError
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, ShapedLink
from offramp.runtime.journal import Journal
from offramp.runtime.refining import RefiningEdge, RefiningSettings

SETTLE_S = 20.0


@pytest.fixture
def asking(bundle):
    """A bundle whose exit is never sure."""
    return dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))


@pytest.fixture
def half_sure(bundle, workshop):
    """A bundle whose exit is sure of about half of the samples."""
    sure = dataclasses.replace(bundle, exit_rule=ExitRule(0.0))
    with Edge(sure, mode="split+exit", tail="127.0.0.1:1") as edge:
        confidences = [answer.confidence for answer in edge.infer_many(workshop.samples(100))]
    return dataclasses.replace(bundle, exit_rule=ExitRule(float(np.median(confidences))))


def labels_of_tail(bundle, samples):
    """What the tail says."""
    with Edge(bundle, mode="local") as edge:
        return [answer.label for answer in edge.infer_many(samples)]


def read_all(edge, n):
    """The next n outcomes; all but the last are acknowledged."""
    return list(itertools.islice(edge.refinements(timeout_s=SETTLE_S), n))


def test_unsure_samples_get_two_answers_and_sure_ones_one(half_sure, host, workshop):
    samples = workshop.samples(60)
    told = []
    with RefiningEdge(half_sure, tail=host(half_sure), on_refined=told.append) as edge:
        answers = [edge.infer(sample, id=f"part-{i}") for i, sample in enumerate(samples)]
        assert edge.settle(SETTLE_S)
    provisional = [answer for answer in answers if not answer.final]
    assert {answer.source for answer in answers} == {"exit", "provisional"}
    assert 10 < len(provisional) < 50
    assert sorted(one.id for one in told) == sorted(answer.id for answer in provisional)
    expected = dict(zip([answer.id for answer in answers], labels_of_tail(half_sure, samples), strict=True))
    first = {answer.id: answer.label for answer in answers}
    for one in told:
        assert (one.label, one.provisional_label) == (expected[one.id], first[one.id])
        assert one.retracted == (one.label != one.provisional_label)
        assert (one.name, one.reason) == (half_sure.classes[one.label], None)
    assert 0 < sum(one.retracted for one in told) < len(told)


@pytest.mark.parametrize("mode", ["split+exit", "split", "remote"])
def test_the_second_answer_is_what_an_edge_that_waits_would_have_said(asking, host, workshop, mode):
    samples, tail = workshop.samples(50), host(asking)
    with Edge(asking, tail=tail, mode=mode, deadline_s=SETTLE_S) as waiting:
        expected = [answer.label for answer in waiting.infer_many(samples)]
    with RefiningEdge(asking, tail=tail, mode=mode) as edge:
        answers = edge.infer_many(samples, [str(i) for i in range(50)])
        outcomes = {one.id: one.label for one in read_all(edge, 50)}
    assert {answer.source for answer in answers} == {"provisional"}
    assert [outcomes[str(i)] for i in range(50)] == expected


def test_samples_without_ids_get_some_of_their_own(asking, host, workshop):
    with RefiningEdge(asking, tail=host(asking)) as edge:
        ids = [answer.id for answer in edge.infer_many(workshop.samples(300))]
        assert len(set(ids)) == 300
        assert {one.id for one in read_all(edge, 300)} == set(ids)


def test_no_answer_waits_for_a_tail_that_is_silent(asking, silent, workshop):
    settings = RefiningSettings(deadline_s=30)
    with RefiningEdge(asking, tail=silent, settings=settings) as edge:
        answers = [edge.infer(sample) for sample in workshop.samples(100)]
        assert {answer.source for answer in answers} == {"provisional"}
        assert edge.counts().pending == 100
        # Were one of them to wait for the tail, it would take 30 s.
        assert max(answer.latency_s for answer in answers) < 5


def test_closing_does_not_wait_for_the_deadline_of_a_request(asking, host, workshop):
    with ShapedLink("127.0.0.1", int(host(asking).rpartition(":")[2])) as link:
        settings = RefiningSettings(deadline_s=300)
        edge = RefiningEdge(asking, tail=f"127.0.0.1:{link.port}", settings=settings)
        assert edge.connect(SETTLE_S)
        link.black_hole = True
        sent = link.bytes_up
        edge.infer(workshop.samples(1)[0])
        until = time.monotonic() + SETTLE_S
        while link.bytes_up == sent and time.monotonic() < until:
            time.sleep(0.01)
        closing = threading.Thread(target=edge.close)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()


def test_an_edge_that_ends_by_an_error_does_not_acknowledge_what_was_under_way(
    asking, host, workshop, tmp_path
):
    path, tail = tmp_path / "edge.journal", host(asking)
    told, go_on = threading.Event(), threading.Event()

    def slow(outcome):
        told.set()
        assert go_on.wait(SETTLE_S)

    def run():
        with RefiningEdge(asking, tail=tail, journal=path, on_refined=slow) as edge:
            edge.infer(workshop.samples(1)[0], id="a")
            assert told.wait(SETTLE_S)
            threading.Timer(0.2, go_on.set).start()  # while the edge is being closed
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    with RefiningEdge(asking, tail=tail, journal=path) as edge:
        assert [one.id for one in edge.refinements(timeout_s=0.0)] == ["a"]


def test_what_was_promised_before_a_restart_is_refined_after_it(asking, dead, host, workshop, tmp_path):
    path = tmp_path / "edge.journal"
    with RefiningEdge(asking, tail=dead, journal=path) as edge:
        ids = [answer.id for answer in edge.infer_many(workshop.samples(40))]
        assert not edge.settle(0.05)
    with RefiningEdge(asking, tail=host(asking), journal=path) as edge:
        assert {one.id for one in read_all(edge, 40)} == set(ids)
    with RefiningEdge(asking, tail=host(asking), journal=path) as edge:
        assert edge.settle(SETTLE_S)
        # The loop of `read_all` did not ask for a next one after the last.
        assert [one.id for one in edge.refinements(timeout_s=0.0)] in ([], ids[-1:])


def test_an_outcome_comes_again_until_the_loop_asks_for_the_next(asking, host, workshop, tmp_path):
    path, tail = tmp_path / "edge.journal", host(asking)
    with RefiningEdge(asking, tail=tail, journal=path) as edge:
        edge.infer_many(workshop.samples(3), ["a", "b", "c"])
        assert edge.settle(SETTLE_S)
        for outcome in edge.refinements():
            assert outcome.id == "a"
            break
        assert [one.id for one in read_all(edge, 2)] == ["a", "b"]
    with RefiningEdge(asking, tail=tail, journal=path) as edge:
        assert [one.id for one in edge.refinements(timeout_s=0.0)] == ["b", "c"]
        assert [one.id for one in edge.refinements(timeout_s=0.0)] == []


def test_an_application_that_fails_is_told_again_and_nothing_is_lost(asking, host, workshop, caplog):
    told, failures = [], iter([RuntimeError("gripper jammed"), RuntimeError("still jammed")])

    def gripper(outcome):
        told.append(outcome.id)
        if error := next(failures, None):
            raise error

    with RefiningEdge(asking, tail=host(asking), on_refined=gripper) as edge:
        edge.infer_many(workshop.samples(3), ["a", "b", "c"])
        assert edge.settle(SETTLE_S)
    assert told == ["a", "a", "a", "b", "c"]
    assert "on_refined failed on sample 'a'; it is called again" in caplog.text


def test_what_an_application_never_took_is_there_after_a_restart(asking, host, workshop, tmp_path):
    path, tail = tmp_path / "edge.journal", host(asking)
    asked = threading.Event()

    def broken(outcome):
        asked.set()
        raise RuntimeError("out of order")

    with RefiningEdge(asking, tail=tail, journal=path, on_refined=broken) as edge:
        edge.infer_many(workshop.samples(2), ["a", "b"])
        assert asked.wait(SETTLE_S)
    told = []
    with RefiningEdge(asking, tail=tail, journal=path, on_refined=told.append) as edge:
        assert edge.settle(SETTLE_S)
    assert [one.id for one in told] == ["a", "b"]


def test_refinements_are_read_in_one_place(asking, host, workshop):
    with RefiningEdge(asking, tail=host(asking)) as edge:
        edge.infer_many(workshop.samples(2))
        reading = edge.refinements(timeout_s=SETTLE_S)
        next(reading)
        with pytest.raises(ConfigError, match="read elsewhere already; read them in one place"):
            next(edge.refinements())
        del reading
        assert len(read_all(edge, 2)) == 2
    with RefiningEdge(asking, tail=host(asking), on_refined=print) as edge:
        edge.connect(SETTLE_S)
        with pytest.raises(ConfigError, match="read elsewhere already"):
            next(edge.refinements(timeout_s=0.0))


def test_a_full_side_buffer_makes_the_exits_verdict_final_for_what_comes_after(asking, dead, workshop):
    journal = Journal(None, max_pending=5)
    with RefiningEdge(asking, tail=dead, journal=journal) as edge:
        answers = edge.infer_many(workshop.samples(8))
    assert [answer.source for answer in answers] == ["provisional"] * 5 + ["fallback"] * 3
    assert [answer.final for answer in answers] == [False] * 5 + [True] * 3
    assert {type(answer.fault) for answer in answers[5:]} == {JournalFullError}
    assert "5 offloads of" in answers[7].reason
    assert [answer.payload_bytes > 0 for answer in answers] == [True] * 5 + [False] * 3


def test_a_full_side_buffer_may_give_up_its_oldest_instead(asking, dead, workshop):
    told, three = [], threading.Semaphore(0)

    def tell(outcome):
        told.append(outcome)
        three.release()

    journal = Journal(None, max_pending=5, when_full="drop-oldest")
    with RefiningEdge(asking, tail=dead, journal=journal, on_refined=tell) as edge:
        for i, sample in enumerate(workshop.samples(8)):
            assert edge.infer(sample, id=str(i)).source == "provisional"
        for _ in range(3):
            assert three.acquire(timeout=SETTLE_S)
    assert [one.id for one in told] == ["0", "1", "2"]
    assert {one.reason for one in told} == {"dropped: the journal was full and newer samples came"}
    assert not any(one.retracted for one in told)


def test_an_id_of_another_sample_is_the_callers_fault_and_the_same_sample_is_refined_once(
    asking, host, workshop
):
    one, other = workshop.samples(2)
    told = []
    with RefiningEdge(asking, tail=host(asking), on_refined=told.append) as edge:
        assert edge.infer(one, id="a").source == "provisional"
        assert edge.infer(one, id="a").source == "provisional"
        with pytest.raises(DataError, match="sample id 'a' is used for another offload"):
            edge.infer(other, id="a")
        with pytest.raises(DataError, match="2 ids for 1 samples; give one for each"):
            edge.infer_many(one[None], ["a", "b"])
        assert edge.settle(SETTLE_S)
    assert [outcome.id for outcome in told] == ["a"]


def test_samples_that_wait_too_long_are_given_up(asking, dead, workshop):
    settings = RefiningSettings(refine_within_s=0.2)
    with RefiningEdge(asking, tail=dead, settings=settings) as edge:
        answer = edge.infer(workshop.samples(1)[0])
        [outcome] = read_all(edge, 1)
    assert (outcome.label, outcome.retracted) == (answer.label, False)
    assert outcome.reason == "no answer within 0.2 s"


def test_a_bundle_without_head_and_exit_and_mode_local_are_refused(bundle):
    no_exit = dataclasses.replace(bundle, exit=None)
    with pytest.raises(ConfigError, match=r"to answer before the tail it needs head and exit"):
        RefiningEdge(no_exit, tail="h:1", mode="split")
    with pytest.raises(ConfigError, match="mode 'local' asks no tail; use Edge"):
        RefiningEdge(bundle, tail="h:1", mode="local")


def test_a_closed_edge_says_so(asking, dead, workshop):
    edge = RefiningEdge(asking, tail=dead)
    edge.close()
    edge.close()
    assert edge.closed
    with pytest.raises(ConfigError, match="this edge is closed"):
        edge.infer(workshop.samples(1)[0])
    assert list(edge.refinements()) == []


def test_answers_go_on_from_the_exit_while_the_journal_cannot_be_written_and_offloads_after_that(
    asking, host, workshop, tmp_path, caplog
):
    folder = tmp_path / "later"
    samples = workshop.samples(2)
    with RefiningEdge(asking, tail=host(asking), journal=folder / "edge.journal") as edge:
        assert "cannot be written" in edge.journal_failure
        answer = edge.infer(samples[0])
        assert (answer.source, type(answer.fault)) == ("fallback", JournalError)
        assert "cannot be written" in answer.reason
        folder.mkdir()
        until = time.monotonic() + SETTLE_S
        while edge.journal_failure and time.monotonic() < until:
            time.sleep(0.02)
        assert edge.infer(samples[1]).source == "provisional"
        assert edge.settle(SETTLE_S)
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith("the journal has stopped, answers go on from the exit: ")
    assert told[-1] == "the journal works again"


def test_a_damaged_journal_is_kept_aside_and_answers_go_on(asking, host, workshop, tmp_path, caplog):
    path = tmp_path / "edge.journal"
    path.write_bytes(os.urandom(5000))
    with RefiningEdge(asking, tail=host(asking), journal=path) as edge:
        assert edge.infer(workshop.samples(1)[0]).source == "provisional"
        assert edge.settle(SETTLE_S)
    assert path.with_name("edge.journal.corrupt-1").stat().st_size == 5000
    assert "the journal was damaged: it is kept as " in caplog.text


def fill_up(journal):
    """Leaves the disk no room for more than a few pages, until the journal is opened anew."""
    connection = journal._table.connection
    [(n_pages,)] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")


def test_on_a_full_disk_answers_are_final_and_nothing_promised_is_lost(asking, host, workshop, tmp_path):
    journal = Journal(tmp_path / "edge.journal")
    with ShapedLink("127.0.0.1", int(host(asking).rpartition(":")[2])) as link:
        link.black_hole = True
        told = []
        with RefiningEdge(
            asking, tail=f"127.0.0.1:{link.port}", journal=journal, on_refined=told.append
        ) as edge:
            fill_up(journal)
            answers = [edge.infer(sample) for sample in workshop.samples(200)]
            sources = [answer.source for answer in answers]
            kept = sources.index("fallback")
            assert 0 < kept < 200
            assert "database or disk is full; free space" in answers[kept].reason
            link.black_hole = False
            until = time.monotonic() + SETTLE_S
            while edge.journal_failure and time.monotonic() < until:
                time.sleep(0.02)
            assert edge.settle(SETTLE_S)
    promised = [answer.id for answer in answers if answer.source == "provisional"]
    assert sorted(one.id for one in told) == sorted(promised)


def test_outcomes_taken_while_the_journal_fails_are_acknowledged_once_it_works(
    asking, host, workshop, tmp_path
):
    path, tail = tmp_path / "edge.journal", host(asking)
    journal = Journal(path)
    with RefiningEdge(asking, tail=tail, journal=journal) as edge:
        edge.infer_many(workshop.samples(2), ["a", "b"])
        assert edge.settle(SETTLE_S)
        reading = edge.refinements(timeout_s=SETTLE_S)
        assert next(reading).id == "a"
        journal._table.connection.close()  # as a disk that is pulled out
        assert next(reading).id == "b"
        assert "closed" in journal.failure
        edge.infer(workshop.samples(3)[2], id="c")  # whoever sees the failure wakes the one who mends it
        until = time.monotonic() + SETTLE_S
        while edge.journal_failure and time.monotonic() < until:
            time.sleep(0.02)
        edge.infer(workshop.samples(3)[2], id="d")
        assert next(reading).id == "d"
    with RefiningEdge(asking, tail=tail, journal=path) as edge:
        assert [one.id for one in edge.refinements(timeout_s=0.0)] == ["d"]


def test_a_tail_that_lies_is_never_believed(asking, liar, workshop):
    nonsense = iter(range(10**6))

    def reply(request):
        n = request.inputs[0].array.shape[0]
        right = np.eye(3, dtype=np.float32)[[1] * n]
        wrong = [
            wire.InferResponse(request.model_name, (wire.Tensor("scores", right),), id="another"),
            wire.InferResponse(request.model_name, (wire.Tensor("scores", right[:, :2]),), id=request.id),
            b"\xff" * 20,
        ]
        return wrong[next(nonsense) % 3]

    with RefiningEdge(asking, tail=liar(reply)) as edge:
        edge.infer_many(workshop.samples(4))
        until = time.monotonic() + SETTLE_S
        while next(nonsense) < 40 and time.monotonic() < until:
            time.sleep(0.02)
        assert list(edge.refinements(timeout_s=0.0)) == []
        assert edge.counts().pending == 4
        assert edge.last_fault is not None


def test_a_bundle_of_another_head_on_the_server_gives_nothing_up(asking, host, workshop, bundle):
    rng = np.random.default_rng(1)
    other_head = workshop.part(workshop.sparse(rng, 16, 8, 4, block=(2, 2)), workshop.relu)
    other = dataclasses.replace(bundle, head=other_head, head_digest="")
    with RefiningEdge(asking, tail=host(other)) as edge:
        edge.infer_many(workshop.samples(3))
        assert not edge.settle(0.5)
        assert "refused, FAILED_PRECONDITION: features of head " in str(edge.last_fault)
        assert edge.counts().pending == 3
