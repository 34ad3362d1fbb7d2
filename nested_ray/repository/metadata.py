"""Metadata of 1C configurations: objects, common module flags, subsystems, subscriptions, jobs, form events."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from nested_ray.languages import get_language
from nested_ray.repository.metadata_paths import FOLDERS
from nested_ray.repository.metadata_xml import Element, UnreadableXml, read_xml

logger = logging.getLogger(__name__)

_FOLD = get_language("bsl").fold

KINDS = frozenset(kind for kind, _ in FOLDERS.values())
NOTHING = Element("", {})
"""Stands for an element that is not there."""
MODULE_FLAGS = (
    "Global", "ClientManagedApplication", "ClientOrdinaryApplication", "Server",
    "ExternalConnection", "ServerCall", "Privileged",
)  # fmt: skip
REUSE = "ReturnValuesReuse"
"""Flag of a common module whose functions the platform calls once per arguments; it says for how long."""


class MetadataText(NamedTuple):
    """One XML file of a configuration."""

    path: str
    text: str


@dataclass(frozen=True)
class MetadataObject:
    """One object of a configuration."""

    kind: str
    """`CommonModule`, `Catalog`, …"""
    name: str
    path: str
    """The XML file it was read from."""
    synonym: str = ""
    """What users see it called."""
    flags: frozenset[str] = frozenset()
    """Of a common module: `Global`, `Server`, `ServerCall`, …"""

    @property
    def full_name(self) -> str:
        """`Catalog.Валюты`."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True)
class Subsystem:
    """A part of a configuration and what belongs to it."""

    full_name: str
    """Names from the outermost on: `Стандартные.Пользователи`."""
    synonym: str
    content: tuple[str, ...]
    """Full names: `Catalog.Валюты`, `CommonModule.Пользователи`."""


@dataclass(frozen=True)
class EventSubscription:
    name: str
    event: str
    """`BeforeWrite`, …"""
    sources: tuple[str, ...]
    """Types: `CatalogObject.Валюты`."""
    module: str
    method: str
    path: str = ""


@dataclass(frozen=True)
class ScheduledJob:
    name: str
    module: str
    method: str
    path: str = ""


@dataclass(frozen=True)
class FormEvent:
    """An event of a form or of something on it, and the method of the form's module that handles it."""

    form: str
    """Path of the form's description."""
    element: str
    """Name of the field, table or command; empty for the form."""
    event: str
    method: str


@dataclass(frozen=True)
class Metadata:
    """What the XML files of a repository tell; empty where there are none."""

    objects: dict[str, MetadataObject] = field(default_factory=dict)
    """By full name, folded."""
    subsystems: list[Subsystem] = field(default_factory=list)
    subscriptions: list[EventSubscription] = field(default_factory=list)
    jobs: list[ScheduledJob] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Path → why it was not read."""

    def object(self, kind: str, name: str) -> MetadataObject | None:
        """One object, however its name is written."""
        return self.objects.get(_FOLD(f"{kind}.{name}"))

    def subsystems_of(self, kind: str, name: str) -> list[str]:
        """Full names of the subsystems an object belongs to."""
        return self._membership.get(_FOLD(f"{kind}.{name}"), [])

    def global_modules(self) -> frozenset[str]:
        """Folded names of common modules whose methods are called without the module's name."""
        return frozenset(
            _FOLD(each.name)
            for each in self.objects.values()
            if each.kind == "CommonModule" and "Global" in each.flags
        )

    @cached_property
    def _membership(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for subsystem in self.subsystems:
            for name in subsystem.content:
                found.setdefault(_FOLD(name), []).append(subsystem.full_name)
        return found


def read_metadata(texts: Iterable[MetadataText]) -> Metadata:
    """Objects from XML files; a file that cannot be read is named in `skipped`."""
    metadata = Metadata()
    for path, text in texts:
        try:
            # Behind an object's properties come its attributes and forms, which may be megabytes.
            read_into(metadata, path, read_xml(text, until="Properties"))
        except UnreadableXml as exc:
            metadata.skipped[path] = str(exc)
    return metadata


def read_form_events(texts: Iterable[MetadataText]) -> list[FormEvent]:
    """Handlers of forms from XML files; forms that cannot be read have none."""
    found: list[FormEvent] = []
    for path, text in texts:
        try:
            found.extend(form_events(path, read_xml(text)))
        except UnreadableXml as exc:
            logger.info("%s is not read: %s", path, exc)
    return found


def read_into(metadata: Metadata, path: str, root: Element) -> None:
    """One file of either layout; files that describe no object are passed over."""
    # The Configurator wraps an object in <MetaDataObject>, EDT has <mdclass:Catalog> at the top.
    body = root.children[0] if root.tag == "MetaDataObject" and root.children else root
    if body.tag not in KINDS:
        return
    properties = body.child("Properties") or body
    name = properties.child_text("Name") or properties.child_text("name")
    if not name:
        return
    found = MetadataObject(body.tag, name, path, synonym_of(properties), flags_of(properties))
    metadata.objects.setdefault(_FOLD(found.full_name), found)
    if body.tag == "Subsystem":
        metadata.subsystems.append(
            Subsystem(subsystem_name(path, name), found.synonym, content_of(properties))
        )
    elif body.tag == "EventSubscription":
        metadata.subscriptions.append(subscription_of(path, name, properties))
    elif body.tag == "ScheduledJob":
        module, method = handler_of(text_of(properties, "MethodName"))
        metadata.jobs.append(ScheduledJob(name, module, method, path))


def text_of(properties: Element, tag: str) -> str:
    """The Configurator writes tags with a capital, EDT without."""
    return properties.child_text(tag) or properties.child_text(tag[0].lower() + tag[1:])


def synonym_of(properties: Element) -> str:
    """The Russian synonym, else the first there is."""
    found: dict[str, str] = {}
    for item in (properties.child("Synonym") or NOTHING).all("item"):
        found.setdefault(item.child_text("lang"), item.child_text("content"))
    for item in properties.all("synonym"):
        found.setdefault(item.child_text("key"), item.child_text("value"))
    return found.get("ru") or next(iter(found.values()), "")


def flags_of(properties: Element) -> frozenset[str]:
    found = {flag for flag in MODULE_FLAGS if text_of(properties, flag) == "true"}
    if text_of(properties, REUSE) not in ("", "DontUse"):
        found.add(REUSE)
    return frozenset(found)


def content_of(properties: Element) -> tuple[str, ...]:
    """Full names of a subsystem's members."""
    listed = (properties.child("Content") or NOTHING).children
    return tuple(
        each.text.strip() for each in [*listed, *properties.all("content")] if each.text.strip()
    )


def subsystem_name(path: str, name: str) -> str:
    """By the folders: `Subsystems/А/Subsystems/Б.xml` (or `Б/Б.mdo`) → `А.Б`."""
    parts = path.split("/")
    outer = [
        parts[index + 1]
        for index, part in enumerate(parts[:-2])
        if part.casefold() == "subsystems" and index + 2 < len(parts)
    ]
    if outer and _FOLD(outer[-1]) == _FOLD(name):
        outer.pop()
    return ".".join([*outer, name])


def subscription_of(path: str, name: str, properties: Element) -> EventSubscription:
    source = properties.child("Source") or properties.child("source") or NOTHING
    types = [each.text.strip().rpartition(":")[2] for each in source.children]
    module, method = handler_of(text_of(properties, "Handler"))
    event = text_of(properties, "Event")
    return EventSubscription(
        name, event, tuple(each for each in types if each), module, method, path
    )


def handler_of(text: str) -> tuple[str, str]:
    """`CommonModule.Пользователи.Обновить` → (`Пользователи`, `Обновить`)."""
    parts = text.split(".")
    return (parts[-2], parts[-1]) if len(parts) >= 2 else ("", text)


def form_events(path: str, root: Element) -> list[FormEvent]:
    """Handlers of the form and of everything on it, in order."""
    found: list[FormEvent] = []
    waiting: list[tuple[Element, str]] = [(root, "")]
    while waiting:
        element, name = waiting.pop()
        found.extend(FormEvent(path, name, event, method) for event, method in handlers_of(element))
        for child in reversed(element.children):
            own = child.attributes.get("name") or child.child_text("name")
            waiting.append((child, own or name))
    return found


def handlers_of(element: Element) -> Iterator[tuple[str, str]]:
    """(event, method) of one element of a form, in either layout."""
    for event in (element.child("Events") or NOTHING).all("Event"):
        if event.text.strip():
            yield event.attributes.get("name", ""), event.text.strip()
    for handler in element.all("handlers"):
        if method := handler.child_text("name"):
            yield handler.child_text("event"), method
    if element.tag == "Command" and (action := element.child_text("Action")):
        yield "Action", action
    if element.tag == "formCommands":
        handler = (element.child("action") or NOTHING).child("handler") or NOTHING
        if method := handler.child_text("name"):
            yield "Action", method
