"""Code review over HTTP: what is sent is reviewed, nothing else is touched, and bad requests say what is wrong."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from nested_ray.api.analysis import ReviewRequest
from nested_ray.config.serve import AnalysisConfig
from nested_ray.errors import InferenceError
from nested_ray.inference.bundle import NestSpec, write_spec
from nested_ray.review.learned import NestParts, load_parts
from nested_ray.serve.analysis import AnalysisServer, Analyst

REVIEW = "/api/v1/nested-learning/review"
ARCHITECTURE = "/api/v1/nested-learning/architecture"
BROKEN = "def f(:\n    return 1\n"
LIBRARY = "def area(width, height):\n    return width * height\n"
CALLER = "from library import area\n\nprint(area(2))\n"


def file(path, text, **more):
    return {"path": path, "text": text, **more}


def rules(response):
    assert response.status_code == 200, response.text
    return [(each["rule"], each["path"]) for each in response.json()["findings"]]


def review(site, *files, **more):
    return site.request("POST", REVIEW, json={"files": list(files), **more})


def test_each_finding_names_its_level_and_place(site):
    response = review(site, file("a.py", BROKEN))
    [finding] = response.json()["findings"]
    assert (finding["rule"], finding["levels"]) == ("syntax/invalid-text", ["syntax"])
    assert finding["range"]["start_line"] == 1


def test_a_call_is_judged_in_the_light_of_the_other_files(site):
    found = rules(review(site, file("library.py", LIBRARY), file("caller.py", CALLER)))
    assert ("semantics/wrong-arity", "caller.py") in found


def test_bsl_is_reviewed_as_well(site):
    text = "Процедура П()\n\tЕсли Истина Тогда\nКонецПроцедуры\n"
    assert ("syntax/invalid-text", "М.bsl") in rules(review(site, file("М.bsl", text)))


def test_only_the_levels_asked_for_answer(site):
    found = review(site, file("a.py", "import os\n" + BROKEN), levels=["architecture"]).json()
    assert found["summary"]["levels"] == ["architecture"]
    assert found["findings"] == []


def test_with_a_base_only_what_is_new_is_posted(site):
    before = "import os\n"
    response = review(
        site,
        file("a.py", before + "import sys\n"),
        base=[file("a.py", before)],
        levels=["semantics"],
    )
    assert [each["range"]["start_line"] for each in response.json()["findings"]] == [2]
    assert response.json()["summary"]["unrelated"] == 1


def test_a_diff_stands_for_the_base(site):
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n import os\n+import sys\n"
    response = review(
        site, file("a.py", "import os\nimport sys\n"), diff=diff, levels=["semantics"]
    )
    assert [each["range"]["start_line"] for each in response.json()["findings"]] == [2]


@pytest.mark.parametrize(
    ("format", "media_type", "key"),
    [
        ("json", "application/json", "findings"),
        ("sarif", "application/sarif+json", "runs"),
        ("rdjson", "application/json", "diagnostics"),
    ],
)
def test_findings_come_in_the_format_asked_for(site, format, media_type, key):
    response = review(site, file("a.py", BROKEN), format=format)
    assert response.headers["content-type"] == media_type
    assert len(json.loads(response.text)[key]) == 1


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "files: this field is required"),
        ({"files": []}, "files: "),
        ({"files": [file("../a.py", "")]}, "files.0.path: '../a.py' is not a path inside"),
        ({"files": [file("/etc/passwd", "")]}, "files.0.path: "),
        ({"files": [file("a.py", ""), file("a.py", "")]}, "files.1.path: a.py was sent twice"),
        ({"files": [file("a.rs", "")]}, "files.0.language: a.rs is not known; use python, bsl"),
        ({"files": [file("a.py", "", language="lua")]}, "files.0.language: lua is not known"),
        ({"files": [file("a.py", "")], "paths": ["b.py"]}, "paths.0: b.py is not among"),
        ({"files": [file("a.py", "")], "base": [], "diff": ""}, "base and diff"),
        ({"files": [file("a.py", "x = 1\n")], "diff": "nonsense"}, "no unified diff was found"),
        ({"files": [file("a.py", "")], "format": "xml"}, "format: "),
        ({"files": [file("a.py", "\ud800")]}, "unexpected end of hex escape"),
    ],
)
def test_what_cannot_be_reviewed_is_a_400_that_says_why(site, body, where):
    response = site.request("POST", REVIEW, content=json.dumps(body))
    assert response.status_code == 400
    assert where in response.json()["error"]["message"]


def test_limits_hold(make_site):
    site = make_site(analysis={"max_files": 1, "max_body_bytes": 200})
    two = review(site, file("a.py", ""), file("b.py", ""))
    assert (two.status_code, "at most 1 are allowed" in two.text) == (400, True)
    assert review(site, file("a.py", "#" * 300)).status_code == 413


class Endless:
    """A detector that stays with its first file until it is let go."""

    level = "semantics"
    rules = ()

    def __init__(self):
        self.begun, self.go_on, self.seen = threading.Event(), threading.Event(), []

    def suspect(self, repository, paths):
        self.seen += paths
        self.begun.set()
        assert self.go_on.wait(60)
        return iter(())


def test_work_that_nobody_waits_for_ends_at_its_next_step():
    detector = Endless()
    server = AnalysisServer(Analyst(AnalysisConfig(), lambda: NestParts(detectors=(detector,))))
    files = [file(f"f{number}.py", "x = 1\n") for number in range(20)]
    request = ReviewRequest.from_json(
        json.dumps({"files": files, "levels": ["semantics"]}).encode()
    )
    other = ReviewRequest.from_json(json.dumps({"files": files, "learned": False}).encode())

    async def ask_and_leave():
        asked = asyncio.ensure_future(server.review(request))
        await asyncio.to_thread(detector.begun.wait, 60)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        detector.go_on.set()
        # One request computes at a time: an answer means that the first one has ended.
        await asyncio.wait_for(server.review(other), 60)

    asyncio.run(ask_and_leave())
    assert detector.seen == ["f0.py"]


def test_a_damaged_part_of_the_nest_is_not_the_clients_fault(tmp_path):
    (tmp_path / "repository" / "placement").mkdir(parents=True)
    (tmp_path / "repository" / "placement" / "placement.json").write_text("{}")
    write_spec(tmp_path, NestSpec("t", 64, (), ("python",)))
    with pytest.raises(InferenceError, match="placement"):
        load_parts(tmp_path, ("architecture",))


def test_a_key_is_needed_where_keys_are_configured(make_site):
    site = make_site(api_key_hashes=["0" * 64])
    assert review(site, file("a.py", "")).status_code == 401


def architecture(site, *files, **more):
    return site.request("POST", ARCHITECTURE, json={"files": list(files), **more})


CIRCLE = (
    file("shop/orders.py", "from shop import stock\n\n\ndef order():\n    stock.take()\n"),
    file("shop/stock.py", "from shop import orders\n\n\ndef take():\n    orders.order()\n"),
)


def test_the_architecture_names_a_circle(site):
    response = architecture(site, *CIRCLE)
    assert response.status_code == 200, response.text
    assert [set(each) for each in response.json()["tangles"]] == [{"shop.orders", "shop.stock"}]
    assert "architecture/import-cycle" in {each["rule"] for each in response.json()["findings"]}


def test_impact_names_who_depends_on_a_definition(site):
    library, caller = file("library.py", LIBRARY), file("caller.py", CALLER)
    found = architecture(site, library, caller, impact=["library.py:area"]).json()
    assert [each["path"] for each in found["impacted"]] == ["caller.py"]
    wrong = architecture(site, library, impact=["nobody"])
    assert (wrong.status_code, "impact.0: 'nobody' is no file" in wrong.text) == (400, True)


@pytest.mark.parametrize(
    ("format", "media_type", "start"),
    [
        ("mermaid", "text/plain", "flowchart"),
        ("svg", "image/svg+xml", "<svg"),
        ("html", "text/html", "<!doctype"),
    ],
)
def test_pictures_come_whole(site, format, media_type, start):
    response = architecture(site, *CIRCLE, format=format)
    assert response.headers["content-type"].startswith(media_type)
    assert response.text.lower().startswith(start)
