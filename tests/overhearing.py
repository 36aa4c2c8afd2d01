"""What was told to the API, and what the logs said meanwhile: the two have nothing in common, in any test."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx

from api.logs import JsonLines

SHORTEST = 4
"""Letters; shorter words stand in any line."""
PERSONAL = {"access_token", "code", "email", "family_name", "given_name", "message", "note", "phone", "refresh_token"}
PERSONAL |= {"name", "secret", "text", "url"}
"""Members of answers that tell of people, or let in; of what is asked, everything is held against the log."""
OF_THE_TEST = ("httpx", "httpcore")
"""The tests' own way to the app."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d.*")

_TEMPLATE = re.compile(r"(/[a-z-]+|/v1|/\{\w+\})+")

_current: list["Overheard"] = []


class Overheard(logging.Handler):
    """The lines that a server would have written, and the words that must not be in them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonLines())
        self.lines: dict[str, str] = {}
        """What was said, without what is ours by its place → a line that says it."""
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if _current[-1:] != [self] or record.name.startswith(OF_THE_TEST):
            return
        line = self.format(record)
        said = json.loads(line)
        # Not the time; and a route is told as its template, whose words are ours.
        if _TEMPLATE.fullmatch(said.get("route", "")):
            said.pop("route", None)
        text = " ".join(_strings({key: value for key, value in said.items() if key not in {"at", "level", "method"}}))
        self.lines[re.sub(r"\b[0-9a-f]{32}\b", "", text)] = line

    def leaks(self) -> list[tuple[str, str]]:
        """(what was told, the line that tells it)."""
        return [
            (word, line)
            for text, line in self.lines.items()
            for word in self.told
            if word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
        ]

    def hear(self, *words: str) -> None:
        """Take note of what must not be logged."""
        self.told |= {word for word in words if len(word) >= SHORTEST and not _DAY.fullmatch(word)}


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Listen to every log, in the place of whoever listens already."""
    ear = Overheard()
    loggers = [logging.getLogger(name) for name in ("followthrough", "uvicorn")]
    levels = [one.level for one in loggers]
    for one, level in zip(loggers, (logging.DEBUG, logging.INFO), strict=True):
        one.setLevel(level)
    logging.getLogger().addHandler(ear)
    _current.append(ear)
    try:
        yield ear
    finally:
        _current.remove(ear)
        logging.getLogger().removeHandler(ear)
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)


def note(request: httpx.Request, body: bytes, answer: httpx.Response) -> None:
    """One exchange between a test and the app."""
    for ear in _current[-1:]:
        ear.hear(*(value for _, value in parse_qsl(request.url.query.decode())))
        ear.hear(request.headers.get("authorization", "").partition(" ")[2])
        ear.hear(*_strings(_read(body, request.headers.get("content-type", ""))))
        media_type = answer.headers.get("content-type", "")
        said = None if "problem" in media_type else _read(answer.content, media_type)
        ear.hear(*(word for one in _personal(said) for word in _strings(one)))


def _read(body: bytes, media_type: str) -> Any:
    if "form" in media_type:
        return dict(parse_qsl(body.decode(errors="replace")))
    try:
        return json.loads(body) if "json" in media_type else None
    except (ValueError, RecursionError):
        return None


def _strings(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for value in said.values():
            yield from _strings(value)
    elif isinstance(said, list):
        for value in said:
            yield from _strings(value)


def _personal(said: Any) -> Iterator[Any]:
    if isinstance(said, dict):
        for key, value in said.items():
            if key in PERSONAL:
                yield value
            else:
                yield from _personal(value)
    elif isinstance(said, list):
        for value in said:
            yield from _personal(value)
