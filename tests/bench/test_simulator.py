from statistics import median

import pytest

from tests.bench.simulator import Made, patient

MANY = 1000


@pytest.fixture(scope="module")
def made() -> list[Made]:
    return [patient(12, number) for number in range(MANY)]


def test_a_seed_makes_the_same_patients_again_and_another_does_not() -> None:
    assert [patient(3, number) for number in range(20)] == [patient(3, number) for number in range(20)]
    assert patient(3, 0) != patient(4, 0)
    assert patient(3, 0) != patient(3, 1)


def test_about_two_in_five_have_stopped_by_twelve_weeks(made: list[Made]) -> None:
    early = sum(one.stop_day is not None and one.stop_day < 84 for one in made)
    assert early / MANY == pytest.approx(0.40, abs=0.045)


def test_about_half_of_what_is_due_is_done_pauses_included(made: list[Made]) -> None:
    assert sum(one.done for one in made) / sum(one.scheduled for one in made) == pytest.approx(0.49, abs=0.035)


def test_the_stated_shares_of_rhythm_decay_and_weekly_batches(made: list[Made]) -> None:
    assert sum(one.rhythm for one in made) / MANY == pytest.approx(0.5, abs=0.045)
    assert sum(one.decays for one in made) / MANY == pytest.approx(0.3, abs=0.045)
    assert sum(one.batches for one in made) / MANY == pytest.approx(0.15, abs=0.035)


def test_illness_holidays_and_declared_pauses_are_as_often_as_stated(made: list[Made]) -> None:
    years = MANY * 240 / 365
    assert sum(one.illnesses for one in made) / years == pytest.approx(2.0, abs=0.2)
    assert sum(one.holidays for one in made) / years == pytest.approx(1.5, abs=0.2)
    who_stay = [one for one in made if one.stop_day is None]
    assert sum(one.declared for one in who_stay) / sum(one.holidays for one in who_stay) == pytest.approx(0.5, abs=0.06)


def test_the_hazard_is_higher_in_the_first_month(made: list[Made]) -> None:
    days = [one.stop_day for one in made if one.stop_day is not None]
    first, second = sum(day < 30 for day in days), sum(30 <= day < 60 for day in days)
    assert 1.4 < (first / MANY) / (second / (MANY - first)) < 2.4


def test_nothing_is_done_after_the_stop_and_nothing_received_before_it_was_done(made: list[Made]) -> None:
    for story in (one.story for one in made if one.story):
        assert [log.received_at for log in story.logs] == sorted(log.received_at for log in story.logs)
        for log in story.logs:
            assert log.day <= log.received_at.date()
            assert story.stopped_at is None or log.day < story.stopped_at.date()
            assert log.received_at < story.until


def test_who_sends_weekly_sends_days_late_and_the_others_at_once(made: list[Made]) -> None:
    late: dict[bool, list[int]] = {True: [], False: []}
    for one in made:
        for log in one.story.logs if one.story else ():
            late[one.batches].append((log.received_at.date() - log.day).days)
    assert median(late[False]) == 0
    assert 3 <= median(late[True]) <= 5
    assert max(late[True]) > 7
