"""Taking turns: everybody's comes, whoever there is time for."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.turns import in_turn

MINUTE = timedelta(minutes=1)
TIMES = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis wants them bare
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(size=st.integers(0, 40), in_time=st.integers(1, 50), start=TIMES, seconds=st.integers(0, 59))
def test_each_has_its_turn_after_as_few_times_as_that_takes(
    size: int, in_time: int, start: datetime, seconds: int
) -> None:
    items = list(range(size))
    times = -(-size // in_time)
    seen = set[int]()

    for n in range(times):
        # A schedule is some seconds early or late, and in the right minute.
        at = start.replace(second=0, microsecond=0) + n * MINUTE + timedelta(seconds=seconds)
        turns = in_turn(items, at, every=MINUTE, in_time=in_time)
        assert sorted(turns) == items
        seen |= set(turns[:in_time])

    assert seen == set(items)


def test_within_its_time_the_order_is_the_same() -> None:
    at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

    first = in_turn("abcde", at, every=MINUTE, in_time=2)

    assert in_turn("abcde", at + timedelta(seconds=59), every=MINUTE, in_time=2) == first
    assert in_turn("abcde", at + MINUTE, every=MINUTE, in_time=2) == [*first[2:], *first[:2]]
