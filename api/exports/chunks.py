"""Lines on their way out: few and large pieces, however many there are."""

from collections.abc import Iterable, Iterator

CHUNK = 64 * 1024
"""Bytes after which a piece is sent."""


def in_chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, joined until they are worth sending; no more than one piece is held."""
    held: list[bytes] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= CHUNK:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)
