"""When a file is ready, by events and observations at given times, without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from hashindex.watch.settle import MOST_BACK_OFF_S, Identity, Readiness, SettleQueue, md5_in_name

SECOND = 1_000_000_000
NOW_NS = 1_700_000_000 * SECOND
PATH = b"/pictures/a.png"


def written(at: float, size: int = 100, inode: int = 1) -> Identity:
    """A file that was last written at that time of the test's clock."""
    return Identity(size, NOW_NS + int(at * SECOND), inode)


def observe(settle: SettleQueue, now: float, seen: Identity | None, *, whole: bool = False) -> Readiness:
    """Observes the due path at that time of both clocks."""
    assert settle.take_due(now, 10) == [PATH]
    return settle.observe(PATH, seen, now, NOW_NS + int(now * SECOND), whole=whole)


def test_a_file_is_ready_when_it_was_quiet_for_long_enough() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert settle.take_due(0.9, 10) == []
    assert observe(settle, 1.0, written(0.0)) is Readiness.READY
    settle.finish(PATH, 1.1)
    assert (len(settle), settle.next_due()) == (0, None)


def test_each_event_delays_the_observation_but_not_for_ever() -> None:
    settle = SettleQueue(quiet_s=1.0, most_s=3.0)
    for tenths in range(0, 40, 5):
        settle.add(PATH, tenths / 10)
    assert settle.next_due() == 3.5
    assert observe(settle, 3.5, written(3.5)) is Readiness.WAIT


def test_a_file_that_was_just_written_is_observed_again() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert observe(settle, 1.0, written(0.7)) is Readiness.WAIT
    assert settle.next_due() == 1.7
    assert observe(settle, 1.7, written(0.7)) is Readiness.READY


def test_a_file_with_an_mtime_in_the_future_has_to_stay_unchanged() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    ahead = written(5000.0)
    assert observe(settle, 1.0, ahead) is Readiness.WAIT
    assert observe(settle, 2.0, ahead._replace(size=101)) is Readiness.WAIT
    assert observe(settle, 3.0, ahead._replace(size=101, inode=2)) is Readiness.WAIT
    assert observe(settle, 4.0, ahead._replace(size=101, inode=2)) is Readiness.READY


def test_a_file_that_is_proven_whole_is_ready_at_once() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0, early=True)
    assert observe(settle, 0.0, written(0.0), whole=True) is Readiness.READY


def test_a_file_that_can_be_proven_whole_is_observed_more_often() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0, early=True)
    assert settle.take_due(0.0, 10) == [PATH]
    assert settle.observe(PATH, written(0.0), 0.0, NOW_NS, early=True) is Readiness.WAIT
    assert settle.next_due() == 0.25


def test_a_missing_file_is_gone() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert observe(settle, 1.0, None) is Readiness.GONE


def test_an_incomplete_file_is_retried_with_longer_delays_and_then_given_up() -> None:
    settle = SettleQueue(quiet_s=1.0, give_up_s=60.0)
    settle.add(PATH, 0.0)
    now, tries = 1.0, []
    while observe(settle, now, written(0.0)) is Readiness.READY and settle.retry_later(PATH, now):
        due = settle.next_due()
        assert due is not None
        tries.append(due - now)
        now = due
    assert tries == [2.0, 4.0, 8.0, 16.0, 30.0]
    settle.finish(PATH, now)
    assert len(settle) == 0


def test_an_empty_file_waits_for_its_bytes() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert observe(settle, 1.0, written(0.0, size=0)) is Readiness.WAIT
    settle.add(PATH, 1.5)
    assert observe(settle, 2.5, written(1.5)) is Readiness.READY


def test_a_file_that_changes_while_it_is_read_is_observed_again() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert observe(settle, 1.0, written(0.0)) is Readiness.READY
    settle.add(PATH, 1.1)
    assert settle.next_due() is None
    settle.finish(PATH, 1.2)
    assert settle.next_due() == 2.2


def test_paths_of_a_run_that_ended_early_are_due_again() -> None:
    settle = SettleQueue(quiet_s=1.0)
    settle.add(PATH, 0.0)
    assert observe(settle, 1.0, written(0.0)) is Readiness.READY
    settle.requeue(5.0)
    assert observe(settle, 5.0, written(0.0)) is Readiness.READY


def test_at_most_the_given_number_of_paths_is_taken() -> None:
    settle = SettleQueue(quiet_s=1.0)
    for number in range(10):
        settle.add(b"%d" % number, number / 100)
    assert settle.take_due(5.0, 3) == [b"0", b"1", b"2"]


def test_md5_in_name_matches_originals_only() -> None:
    md5 = "0123456789abcdef0123456789abcdef"
    assert md5_in_name(md5.upper().encode() + b".GIF") == md5
    assert md5_in_name(md5.encode()) == md5
    assert [md5_in_name(name) for name in (md5.encode() + b"_0.jpg", b"0" * 31 + b".png", b"x" * 32)] == [None] * 3


CHANGE = st.tuples(st.floats(0.0, 20.0), st.sampled_from(["write", "touch", "delete", "bad", "whole"]))


@given(st.lists(CHANGE, max_size=30), st.floats(0.1, 3.0))
def test_every_path_becomes_ready_or_gone(changes: list[tuple[float, str]], quiet_s: float) -> None:
    """After any changes no file is ready within quiet_s of a write, no path waits for ever, and the queue is empty."""
    settle = SettleQueue(quiet_s, most_s=5.0, give_up_s=30.0)
    times = sorted(changes)
    last_write, there, bad = 0.0, True, False
    settle.add(PATH, 0.0)
    now, out = 0.0, False
    for _ in range(2000):
        due = settle.next_due()
        if times and (due is None or times[0][0] <= due):
            now, what = times.pop(0)
            if what in ("write", "touch"):
                last_write, there = now, True
            elif what == "delete":
                there = False
            else:
                bad = what == "bad"
            settle.add(PATH, now)
            continue
        if due is None:
            out = True
            break
        now = max(now, due)
        assert settle.take_due(now, 1) == [PATH]
        seen = written(last_write) if there else None
        verdict = settle.observe(PATH, seen, now, NOW_NS + int(now * SECOND))
        if verdict is Readiness.READY:
            assert now - last_write >= quiet_s - 1e-6
            if bad and settle.retry_later(PATH, now):
                continue
        if verdict is not Readiness.WAIT:
            settle.finish(PATH, now)
    assert out and len(settle) == 0
    assert now <= 20.0 + 30.0 + MOST_BACK_OFF_S + 2 * quiet_s + 5.0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0.0, 100.0)), max_size=300))
def test_the_heap_does_not_grow_with_events(events: list[tuple[int, float]]) -> None:
    settle = SettleQueue()
    for number, now in sorted(events, key=lambda event: event[1]):
        settle.add(b"%d" % number, now)
    assert len(settle._heap) <= 64 + 4 * len(settle) + 1
