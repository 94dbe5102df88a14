"""Jobs in their order: who waits for whom, what fails with what, and what is not done twice."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from edgeffnet.errors import DataError, TargetError
from edgeffnet.journal import Journal
from edgeffnet.sweep.dispatch import dispatch
from edgeffnet.sweep.jobs import Job, Work
from edgeffnet.sweep.run import Order, Outcome


class Hall:
    """Workers whose jobs end when somebody waits: the longest running one first. It notes who ran beside whom."""

    def __init__(self, capacity: int | None, codes: dict[str, int] | None = None) -> None:
        self.capacity = capacity
        self.codes = codes or {}
        self.running: list[tuple[str, Future[Outcome]]] = []
        self.seen: list[frozenset[str]] = []
        self.started: list[str] = []
        self.stopped: list[str] = []

    def submit(self, order: Order) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        name = order.words[0]
        self.running.append((name, future))
        self.started.append(name)
        self.seen.append(frozenset(one for one, _ in self.running))
        return future

    def end_one(self) -> None:
        name, future = self.running.pop(0)
        code = self.codes.get(name, 0)
        if code < 0:
            future.set_exception(RuntimeError("its worker is gone"))
        else:
            future.set_result(Outcome(code, "no" if code else "", 1.0))

    def stop(self, sweep: str) -> None:
        self.stopped.append(sweep)

    def __enter__(self) -> Hall:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def job(folder: Path, name: str, needs: tuple[str, ...] = (), resource: str | None = None, alone: bool = False) -> Job:
    """A job whose command is its name; its report is there."""
    output = folder / name
    output.mkdir(exist_ok=True)
    (output / "report.json").write_text("{}")
    return Job(name, "validate" if needs else "build", (name,), (name,), output, needs, (), resource, alone)


def run(hall: Hall, jobs: list[Job], folder: Path) -> dict[str, Outcome]:
    journal = Journal(folder / "journal.jsonl", {})
    work = Work((), {one.name: one for one in jobs})
    # Whenever the dispatcher tells what runs, it is about to wait: then one ends.
    return dispatch(work, folder, hall, journal, lambda *_: hall.end_one())


def test_a_job_starts_when_what_it_needs_is_done_and_no_more_run_than_there_is_room_for(tmp_path: Path) -> None:
    jobs = [job(tmp_path, name) for name in "abc"] + [job(tmp_path, "after a", ("a",))]
    hall = Hall(2)
    assert {outcome.code for outcome in run(hall, jobs, tmp_path).values()} == {0}
    assert hall.started == ["a", "b", "c", "after a"]
    assert max(map(len, hall.seen)) == 2


def test_a_device_measures_one_model_at_a_time_while_others_go_on(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b")]
    jobs += [job(tmp_path, f"{made} on {board}", (made,), board) for made in "ab" for board in ("one", "two")]
    hall = Hall(None)
    assert len(run(hall, jobs, tmp_path)) == 6
    for board in ("one", "two"):
        assert all(sum(name.endswith(board) for name in seen) <= 1 for seen in hall.seen)
    assert any({"a on one", "b on two"} <= seen or {"a on one", "a on two"} <= seen for seen in hall.seen)


def test_what_measures_this_machine_runs_when_nothing_else_does(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b"), job(tmp_path, "a here", ("a",), "local", True)]
    jobs += [job(tmp_path, "b here", ("b",), "local", True), job(tmp_path, "b audited", ("b",))]
    hall = Hall(4)
    assert len(run(hall, jobs, tmp_path)) == 5
    assert all(len(seen) == 1 for seen in hall.seen if any(name.endswith("here") for name in seen))


def test_a_failure_costs_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b"), job(tmp_path, "after a", ("a",)), job(tmp_path, "after b", ("b",))]
    found = run(Hall(1, {"a": 7}), jobs, tmp_path)
    assert {name: outcome.code for name, outcome in found.items()} == {"a": 7, "b": 0, "after b": 0}


def test_a_worker_that_is_lost_for_good_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    found = run(Hall(1, {"a": -1}), [job(tmp_path, "a"), job(tmp_path, "b")], tmp_path)
    assert found["a"].code == 1
    assert "its worker is gone" in found["a"].said
    assert found["b"].code == 0


def test_what_an_earlier_run_did_is_not_done_again_and_what_failed_is(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b"), job(tmp_path, "after b", ("b",))]
    run(Hall(1, {"b": 5}), jobs, tmp_path)
    again = Hall(1)
    found = run(again, jobs, tmp_path)
    assert again.started == ["b", "after b"]
    assert {outcome.code for outcome in found.values()} == {0}


def test_a_job_whose_result_is_gone_is_done_again_and_what_needs_it_too(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "after a", ("a",)), job(tmp_path, "b")]
    run(Hall(1), jobs, tmp_path)
    (tmp_path / "a" / "report.json").unlink()
    made_again = Hall(1)
    run(made_again, jobs, tmp_path)
    assert made_again.started == ["a"]
    (tmp_path / "a" / "report.json").write_text("{}")
    run(again := Hall(1), jobs, tmp_path)
    assert again.started == ["a", "after a"]


def test_a_job_whose_files_changed_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_text("a cat")
    listed, folder = tmp_path / "val.csv", tmp_path / "photos"
    listed.write_text("file,label\ncat.jpg,1\n")
    folder.mkdir()
    one = job(tmp_path, "a")
    jobs = [replace(one, files=(listed, folder)), job(tmp_path, "after a", ("a",)), job(tmp_path, "b")]
    run(Hall(1), jobs, tmp_path)
    run(nothing := Hall(1), jobs, tmp_path)
    assert nothing.started == []
    for change in (
        lambda: listed.write_text("file,label\ncat.jpg,2\n"),
        lambda: (tmp_path / "cat.jpg").write_text("another cat"),
        lambda: (folder / "dog.jpg").write_text("a dog"),
    ):
        change()
        run(hall := Hall(1), jobs, tmp_path)
        assert hall.started == ["a", "after a"]


def test_what_another_plan_left_in_the_folder_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    first = job(tmp_path, "a")
    second = replace(first, words=("a of another plan",), result_of=("another plan",))
    for one, started in ((first, ["a"]), (second, ["a of another plan"]), (first, ["a"]), (first, [])):
        run(hall := Hall(1), [one], tmp_path)
        assert hall.started == started


def test_a_command_that_ends_well_and_leaves_nothing_here_has_failed(tmp_path: Path) -> None:
    one = job(tmp_path, "a")
    (one.output / "report.json").unlink()
    found = run(Hall(1), [one], tmp_path)
    assert found["a"].code == 5
    assert "shared disk" in found["a"].said


def test_when_the_scheduler_is_gone_so_is_the_sweep_and_what_runs_is_stopped(tmp_path: Path) -> None:
    class Gone(Hall):
        def end_one(self) -> None:
            future = self.running.pop(0)[1]
            future.cancel()
            future.set_running_or_notify_cancel()

    hall = Gone(2)
    with pytest.raises(TargetError, match="the same command goes on"):
        run(hall, [job(tmp_path, "a"), job(tmp_path, "b")], tmp_path)
    assert len(hall.stopped) == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    one = replace(job(tmp_path, "a"), files=(tmp_path / "gone.csv",))
    with pytest.raises(DataError, match=r"gone\.csv"):
        run(Hall(1), [one], tmp_path)
