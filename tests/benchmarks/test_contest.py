"""A contest survives its contestants, and spends its time where it is needed."""

import pytest

from tests.benchmarks import trouble
from tests.benchmarks.contest import Contest, Effort, Lane
from tests.benchmarks.family import OURS
from tests.benchmarks.process import LostError, Worker

NAMES = [OURS, "ends", "raises"]


@pytest.fixture(scope="module")
def rows() -> dict:
    contest = Contest("trouble", Effort(1, 0.1))
    found = {
        (case.name, row.contestant): row
        for case, names in zip(
            trouble.cases(), (NAMES, [OURS, "ends", "wrong"]), strict=True
        )
        for row in contest.run(case, names)
    }
    assert OURS not in contest.workers  # the second case has processes of its own
    contest.close()
    return found


def test_a_process_that_ends_is_noted_and_the_others_go_on(rows: dict) -> None:
    for case in ("first", "alone"):
        assert rows[case, "ends"].failure == "ended without an answer, status 3"
        assert rows[case, "ends"].met is None
        assert rows[case, OURS].met
    assert rows["first", "raises"].failure == "RuntimeError: no solution"
    wrong = rows["alone", "wrong"]
    assert wrong.median == pytest.approx(0.5)
    assert (wrong.correct, wrong.met) == (False, None)


class Silent:
    """A process that never answers, and uses `share` of the time."""

    process = None

    def __init__(self, share: float) -> None:
        self.share, self.now = share, 0.0
        self.pipe = self

    def send(self, message: tuple) -> None:
        del message

    def poll(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def seconds(self) -> float:
        return self.share * self.now


@pytest.mark.parametrize(("share", "turns"), [(1.0, 6), (0.0, 16)])
def test_who_hangs_is_given_up_busy_or_not(share, turns, monkeypatch) -> None:
    silent = Silent(share)
    monkeypatch.setattr("time.monotonic", lambda: silent.now)
    with pytest.raises(LostError, match="no answer in 5 s"):
        Worker.ask(silent, 5.0, "call")
    assert silent.now == turns


@pytest.mark.parametrize(
    ("behind", "floor", "rounds"),
    [
        (None, 10.0, 5),
        (1.2, 1.5, 5),
        (9.0, None, 5),
        (12.0, None, 2),
        (12.0, 10.0, 5),  # near its floor
        (60.0, 20.0, 1),
        (60.0, 90.0, 1),
        (85.0, 90.0, 5),
    ],
)
def test_rounds_depend_on_the_distance_from_ours_and_from_the_floor(
    behind, floor, rounds
) -> None:
    assert Effort().asked(behind, floor) == rounds


def test_few_rounds_are_never_more_than_those_asked_for() -> None:
    assert Effort(1).asked(12.0, None) == 1


def lane(*both: float, floor: float | None = None) -> Lane:
    samples = [(v / 2, v) for v in both]
    return Lane("peer", None, samples, (1.0, 2.0), floor=floor)  # type: ignore[arg-type]


def test_a_lane_stops_once_its_ratio_is_clear() -> None:
    ours = lane(10.0, 10.0)
    assert not lane(600.0).wants_more(Effort(), ours)
    assert lane(150.0, 150.0).wants_more(Effort(), ours) is False
    assert lane(150.0, 150.0, floor=15.0).wants_more(Effort(), ours)
    assert lane(10.0).wants_more(Effort(), ours)
    assert lane(1.0, 1.0, 1.0, 1.0, 1.0).wants_more(Effort(), ours)  # short calls
    assert not lane(2000.0, 2500.0, floor=200.0).wants_more(Effort(), ours)
