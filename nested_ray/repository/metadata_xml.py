"""XML of a 1C configuration → a small tree; no entities, no documents that would not end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

MAX_ELEMENTS = 400_000
MAX_DEPTH = 200
MAX_TEXT_CHARS = 2_000
"""Of one element; names and handlers are short, and a template's content is not looked at."""


class UnreadableXml(ValueError):
    """Why a text is not read: broken, with a DTD, too deep or too large."""


@dataclass(slots=True)
class Element:
    """One element; namespaces are left out of the tag."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def child(self, tag: str) -> Element | None:
        """The first child of that tag."""
        return next((each for each in self.children if each.tag == tag), None)

    def child_text(self, tag: str) -> str:
        """Stripped text of the first child of that tag; empty without one."""
        found = self.child(tag)
        return found.text.strip() if found else ""

    def all(self, tag: str) -> list[Element]:
        """Children of that tag."""
        return [each for each in self.children if each.tag == tag]


class _Enough(Exception):
    """What is wanted of the document has been read."""


def read_xml(text: str, until: str = "") -> Element:
    """The root element, read up to the end of the first element with the tag `until`.

    Raises UnreadableXml.
    """
    builder = _Builder(until)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    # Entities can make a short text long: a configuration has no DTD, so none is read.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except _Enough:
        pass
    except expat.ExpatError as exc:
        raise UnreadableXml(f"line {exc.lineno}: {expat.ErrorString(exc.code)}") from None
    if builder.root is None:
        raise UnreadableXml("no element")
    return builder.root


def _refuse_doctype(*_: Any) -> None:
    raise UnreadableXml("it has a document type declaration")


class _Builder:
    def __init__(self, until: str) -> None:
        self._until = until
        self.root: Element | None = None
        self._open: list[Element] = []
        self._num_elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(local(name), {local(key): value for key, value in attributes.items()})
        self._num_elements += 1
        if len(self._open) >= MAX_DEPTH or self._num_elements > MAX_ELEMENTS:
            raise UnreadableXml("it is deeper or larger than a configuration's files are")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _: str) -> None:
        if self._open.pop().tag == self._until:
            raise _Enough

    def characters(self, data: str) -> None:
        element = self._open[-1]
        if len(element.text) < MAX_TEXT_CHARS:
            element.text += data[: MAX_TEXT_CHARS - len(element.text)]


def local(name: str) -> str:
    """`v8:content` → `content`."""
    return name.rpartition(":")[2]
