"""Events that wait on disk."""

from __future__ import annotations

import pytest

from trainwatch.internal.events import ALARMING, BOUNDARY, NOTABLE, ROUTINE
from trainwatch.internal.spool import Outgoing, Spool


def spool(path, session="s1", max_bytes=1 << 20):
    return Spool(path, "r1", session, max_bytes)


def events(first, last, importance=ROUTINE, size=8):
    return [Outgoing(b"%08d" % n + b"x" * (size - 8), importance, 0.0) for n in range(first, last)]


def numbers(outgoing):
    return [int(event.data[:8]) for event in outgoing]


def read(one):
    """Reads and acknowledges everything."""
    found = []
    while True:
        some = one.peek(7)
        if not some:
            return found
        one.hand_out(some)
        one.acknowledge(some)
        found += numbers(some)


def test_events_come_back_in_order_and_are_forgotten_when_acknowledged(tmp_path):
    one = spool(tmp_path)
    assert not one.has_unread() and list(tmp_path.iterdir()) == []
    assert one.append(events(0, 10)) and one.append(events(10, 20))
    assert one.has_unread() and one.waiting == 20
    assert read(one) == list(range(20))
    assert not one.has_unread() and one.waiting == 0
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_peeked_stays_unread_until_it_is_handed_out(tmp_path):
    one = spool(tmp_path)
    one.append(events(0, 5))
    assert numbers(one.peek(3)) == [0, 1, 2] == numbers(one.peek(3))
    one.hand_out(one.peek(3)[:2])
    assert numbers(one.peek(3)) == [2, 3, 4]
    one.close()


def test_what_was_not_acknowledged_is_read_by_the_next_session_first(tmp_path):
    first = spool(tmp_path, "s1")
    first.append(events(0, 6))
    some = first.peek(4)
    first.hand_out(some)
    first.acknowledge(some[:2])
    first.close()
    second = spool(tmp_path, "s2")
    second.append(events(100, 102))
    assert second.waiting == 2, "those of an earlier session are not this one's"
    assert read(second) == [2, 3, 4, 5, 100, 101]
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_events_on_their_way_are_kept_without_being_read_again(tmp_path):
    one = spool(tmp_path)
    sent = events(0, 3)
    one.append(sent, handed_out=True)
    one.append(events(3, 5))
    assert numbers(one.peek(9)) == [3, 4]
    one.acknowledge(sent)
    assert one.waiting == 2
    one.close()
    assert read(spool(tmp_path, "s2")) == [3, 4]


def test_the_spool_of_a_living_session_is_left_alone(tmp_path):
    living = spool(tmp_path, "s1")
    living.append(events(0, 3))
    other = spool(tmp_path, "s2")
    assert not other.has_unread()
    other.close()
    assert read(living) == [0, 1, 2]


def test_a_full_spool_gives_up_the_oldest_of_the_lowest_importance_first(tmp_path):
    one = spool(tmp_path, max_bytes=100_000)
    one.append(events(0, 10, BOUNDARY, 1000))
    one.append(events(10, 20, ALARMING, 1000))
    one.append(events(20, 100, ROUTINE, 1000))
    one.append(events(100, 110, NOTABLE, 1000))
    assert one.dropped == 80 and one.waiting == 30, "routine rows go in blocks of 256"
    one.append(events(200, 280, ROUTINE, 1000))
    assert read(one) == list(range(20)) + list(range(100, 110)) + list(range(210, 280))
    one.close()


def test_what_is_larger_than_the_spool_is_dropped(tmp_path):
    one = spool(tmp_path, max_bytes=65_536)
    assert one.append(events(0, 1, BOUNDARY, 70_000))
    assert (one.dropped, one.waiting, one.has_unread()) == (1, 0, False)
    one.close()


def test_a_damaged_file_is_set_aside(tmp_path, caplog):
    first = spool(tmp_path, "s1")
    first.append(events(0, 3))
    first.close()
    (path,) = tmp_path.glob("*/s1.events")
    path.write_bytes(b"no database at all" * 100)
    second = spool(tmp_path, "s2")
    assert not second.has_unread() and second.append(events(3, 5)) and read(second) == [3, 4]
    assert "cannot be read and is set aside" in caplog.text
    assert path.with_suffix(".damaged").exists()
    second.close()


def test_a_disk_that_takes_nothing_is_said_once_and_tried_again_later(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    one = spool(tmp_path / "file")
    assert one.is_writable()
    assert not one.append(events(0, 1))
    assert not one.is_writable() and not one.append(events(0, 1))
    assert caplog.text.count("they wait in memory") == 1
    one.close()


@pytest.mark.parametrize("directory, size", [(None, 100_000), ("d", 0)])
def test_no_directory_or_no_bytes_is_no_spool(tmp_path, directory, size):
    one = Spool(tmp_path / directory if directory else None, "r1", "s1", size)
    assert not one.is_writable() and not one.has_unread() and one.peek(1) == []
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_runs_with_similar_names_have_spools_of_their_own(tmp_path):
    for run_id in ("a/b", "a_b", "../x", "ü" * 256):
        Spool(tmp_path, run_id, "s1", 1 << 20).append(events(0, 1))
    assert len({path.name for path in tmp_path.iterdir()}) == 4
