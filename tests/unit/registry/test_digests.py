from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.errors import RegistryError
from nested_ray.files import sha256_of
from nested_ray.registry.digests import ACCEPTED_SUFFIXES, check_path


@pytest.mark.parametrize(
    "path", ["nest.json", "levels/syntax/model.safetensors", "memory/suffixes.npy", "config.yaml"]
)
def test_files_of_a_nest_are_accepted(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/etc/passwd.json",
            "../x.json",
            "a/../../x.json",
            "a//b.json",
            "./a.json",
            "a/./b.txt",
        ),
        *(
            "a\\b.json",
            "a\n.json",
            "%2e%2e/x.json",
            "a.pkl",
            "a.pt",
            "a.bin",
            "a",
            "a.json/",
            ".json",
        ),
        *("x" * 300 + ".json", "a.npz"),
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(RegistryError, match="cannot be a file of a nest version"):
        check_path(path)


@given(st.text(max_size=40))
def test_accepted_paths_stay_inside_their_folder(text: str) -> None:
    path = f"{text}.json"
    try:
        check_path(path)
    except RegistryError:
        return
    joined = (PurePosixPath("/nest") / path).as_posix()
    assert joined == f"/nest/{path}"
    assert Path(joined).resolve().is_relative_to("/nest")
    assert PurePosixPath(path).suffix in ACCEPTED_SUFFIXES


def test_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
