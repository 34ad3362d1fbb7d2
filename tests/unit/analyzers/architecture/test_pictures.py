"""Pictures: whole, the same every time, and safe with any name."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from nested_ray.analyzers.architecture.pictures import draw, to_html, to_mermaid, to_svg
from nested_ray.analyzers.architecture.report import describe

HOSTILE = '</title><script>alert("x")</script>&\x01'


@pytest.fixture
def report(repository_of):
    texts = {
        f"web{HOSTILE}/__init__.py": "",
        f"web{HOSTILE}/page.py": "from core.model import load\n\nload()\n",
        "core/__init__.py": "",
        "core/model.py": "import json\n\n\ndef load():\n    return 1\n",
    }
    return describe(repository_of(texts))


class Tags(HTMLParser):
    """Counts elements and keeps what would be loaded."""

    def __init__(self):
        super().__init__()
        self.names, self.loaded = [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href")]


def test_svg_is_xml_whatever_the_names_hold(report):
    root = ElementTree.fromstring(to_svg(draw(report), title=HOSTILE))
    names = [each.get("data-name") for each in root.iter() if each.get("data-name")]
    assert sorted(names) == sorted(p.name.replace("\x01", "\ufffd") for p in report.packages)
    assert not [each for each in root.iter() if each.tag.endswith("script")]


def test_html_loads_nothing_and_runs_only_its_own_script(report):
    page = to_html(report, draw(report), title=HOSTILE)
    tags = Tags()
    tags.feed(page)
    assert tags.names.count("script") == 1 and tags.loaded == []
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_mermaid_labels_are_quoted(report):
    lines = to_mermaid(draw(report)).splitlines()
    assert lines[0] == "flowchart TD"
    assert not any("<" in line or "&" in line for line in lines)
    assert sum("-->" in line for line in lines) == 1


def test_users_are_drawn_above_what_they_use_without_overlap(report):
    drawing = draw(report)
    (arrow,) = drawing.arrows
    assert arrow.source.y + arrow.source.height < arrow.target.y
    assert draw(report) == drawing


def test_many_packages_become_at_most_sixty_boxes(repository_of):
    texts = {f"top{n // 10}/sub{n}/__init__.py": "" for n in range(150)}
    drawing = draw(describe(repository_of(texts)))
    assert len(drawing.nodes) == 60
    for one in drawing.nodes:
        for other in drawing.nodes:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert one is other or one.y != other.y or apart


def test_the_report_is_plain_json(report):
    values = json.loads(json.dumps(report.to_dict()))
    assert values["num_files"] == 4
    assert [layer["members"] for layer in values["layers"]][-1] == ["core"]
    assert values["dependencies"][0]["example"].endswith("page.py:1")
