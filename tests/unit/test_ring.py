"""The ring of frames: bounded, shared, honest about who is behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.errors import ReaderBehind
from transport.frames import CHUNK_BYTES
from transport.live.ring import Ring


def ring_of(*sizes: int, last: int = 0, max_events: int = 100, max_bytes: int = 10**6) -> Ring:
    ring = Ring(last=last, max_events=max_events, max_bytes=max_bytes)
    ring.extend([bytes([65 + number % 26]) * size for number, size in enumerate(sizes)])
    return ring


def test_readers_at_one_cursor_share_one_bytes_object():
    ring = ring_of(5, 5, 5)
    first, cursor = ring.chunk(0)
    again, _ = ring.chunk(0)
    assert first == b"AAAAABBBBBCCCCC"
    assert cursor == 3
    assert again is first


def test_a_single_new_frame_is_not_copied():
    ring = ring_of(5, 5)
    assert ring.chunk(1)[0] is ring.chunk(1)[0]
    assert ring.chunk(1) == (b"BBBBB", 2)


def test_reader_at_the_head_gets_nothing():
    ring = ring_of(5, last=10)
    assert ring.chunk(11) == (b"", 11)
    assert ring.chunk(15) == (b"", 15)


def test_reader_older_than_the_ring_is_behind():
    ring = ring_of(*[5] * 10, last=100, max_events=4)
    assert (ring.first, ring.last) == (107, 110)
    assert ring.chunk(106)[1] == 110
    with pytest.raises(ReaderBehind):
        ring.chunk(105)


def test_jump_leaves_everybody_below_behind():
    ring = ring_of(5, 5)
    ring.jump(50)
    assert ring.chunk(50) == (b"", 50)
    with pytest.raises(ReaderBehind):
        ring.chunk(1)
    ring.extend([b"next"])
    assert ring.chunk(50) == (b"next", 51)


def test_a_chunk_is_bounded_and_the_next_one_goes_on():
    ring = ring_of(*[CHUNK_BYTES // 2] * 5)
    chunk, cursor = ring.chunk(0)
    assert (len(chunk), cursor) == (CHUNK_BYTES, 2)
    assert ring.chunk(2)[1] == 4
    assert ring.chunk(4)[1] == 5


def test_a_frame_larger_than_a_chunk_is_sent_whole():
    ring = ring_of(10, CHUNK_BYTES * 2, 10)
    assert ring.chunk(0)[1] == 1
    assert len(ring.chunk(1)[0]) == CHUNK_BYTES * 2


@given(
    st.lists(st.lists(st.integers(1, 50), max_size=20), max_size=20),
    st.integers(1, 30),
    st.integers(1, 400),
)
def test_i8_memory_is_bounded_and_what_is_in_the_ring_has_no_hole(batches, max_events, max_bytes):
    ring = Ring(last=0, max_events=max_events, max_bytes=max_bytes)
    sent: list[bytes] = []
    for batch in batches:
        frames = [b"%d." % (len(sent) + n) + b"x" * size for n, size in enumerate(batch)]
        sent += frames
        ring.extend(frames)
        held = sent[ring.first - 1 :]
        assert ring.last == len(sent)
        assert len(held) <= max_events
        assert sum(map(len, held)) <= max_bytes or len(held) == 1
        cursor = ring.first - 1
        received = b""
        while cursor < ring.last:
            chunk, cursor = ring.chunk(cursor)
            received += chunk
        assert received == b"".join(held)
