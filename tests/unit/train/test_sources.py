"""Levels that start from learned weights: prepared, trained, gone on with, served."""

from types import SimpleNamespace

import pytest
import torch

from nested_ray.checkpoints import load_state
from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import PretrainedTokenizer, RegistryTokenizer, TrainConfig
from nested_ray.errors import ConfigError
from nested_ray.inference.bundle import LevelSpec, NestSpec, level_folder, write_spec
from nested_ray.inference.loading import load_decoder
from nested_ray.models import load_model
from nested_ray.models.lora import trainable
from nested_ray.models.pretrained import Pretrained, load_pretrained, load_tokenizer
from nested_ray.train import loop
from nested_ray.train.level import LevelTrainer
from nested_ray.train.sources import check_sources, make_start_model, nest_tokenizer
from tests.unit.models.tiny_pretrained import TEXTS, write_pretrained

LEVEL = {"name": "syntax", "kind": "syntax", "weight": 0.3, "lr": {"peak": 0.01, "warmup_steps": 2}}
CORPUS = SimpleNamespace(split=lambda split: [SimpleNamespace(text=text) for text in TEXTS])


class RegistryOfFolders:
    """A registry with one version, whose files lie in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def resolve(self, nest, ref):
        assert (nest, ref) == ("ours", 3)
        return self.folder

    def fetch(self, version):
        return version


def level(**model):
    return LevelConfig.from_values({**LEVEL, "model": model})


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_pretrained(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def tokenizer(source):
    config = PretrainedTokenizer(type="pretrained", source=str(source), vocab_size=512)
    return nest_tokenizer(config, CORPUS, RegistryOfFolders(None))


@pytest.fixture
def start(source, tokenizer, tmp_path):
    """The folder a level starts from, made of the tiny model or of what is asked for."""

    def made(registry=None, **model):
        folder = tmp_path / "start"
        config = level(**(model or {"type": "pretrained", "source": str(source)}))
        make_start_model(config, tokenizer, registry, folder, max_positions=64)
        return folder

    return made


def log_probs(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].log_softmax(-1)


def test_a_level_starts_with_what_the_model_knows_under_the_nests_ids(source, tokenizer, start):
    """Between any two kept tokens the odds are the model's."""
    place = Pretrained(str(source))
    model, own = load_pretrained(place, torch.float32), load_tokenizer(place)
    line = "    return area(width, height)"
    theirs, ours = own.encode(line).ids, tokenizer.encode(line)
    assert [own.decode([token]).encode() for token in theirs] == [
        tokenizer.token_bytes(token) for token in ours
    ]
    expected = log_probs(model, theirs)[:, theirs]
    found = log_probs(load_model(start()), ours)[:, ours]
    torch.testing.assert_close(found - found[:, :1], expected - expected[:, :1])


def test_serving_loads_the_level(tokenizer, start):
    folder = start()
    ids = tokenizer.encode(TEXTS[0])[:20]
    _, logits = load_decoder(folder, tokenizer).prefill([ids])
    torch.testing.assert_close(logits[0].log_softmax(-1), log_probs(load_model(folder), ids)[-1])


def test_a_registered_level_goes_on_under_the_registered_tokenizer(tokenizer, start, tmp_path):
    nest = tmp_path / "nest"
    start().rename(tmp_path / "level")
    (nest / "levels").mkdir(parents=True)
    (tmp_path / "level").rename(level_folder(nest, "large"))
    tokenizer.save(nest / "tokenizer.json")
    levels = (LevelSpec("large", "architecture", 1.0, 0),)
    write_spec(nest, NestSpec(tokenizer.hash, 32, levels, ("python",)))
    registry = RegistryOfFolders(nest)
    again = nest_tokenizer(
        RegistryTokenizer(type="registry", nest="ours", version=3), CORPUS, registry
    )
    assert again.hash == tokenizer.hash
    asked = {"type": "registry", "nest": "ours", "version": 3}
    ids = list(range(8, 40))
    found = log_probs(load_model(start(registry, **asked, level="large")), ids)
    torch.testing.assert_close(found, log_probs(load_model(level_folder(nest, "large")), ids))
    with pytest.raises(ConfigError, match="no level 'small'; it has large"):
        start(registry, **asked, level="small")


def test_learned_weights_need_a_rate_of_their_own():
    values = {**LEVEL, "model": {"type": "pretrained", "source": "a/b"}, "lr": {}}
    with pytest.raises(ConfigError, match=r"set lr\.peak of syntax"):
        LevelConfig.from_values(values)
    with pytest.raises(ConfigError, match="bf16 needs lora"):
        level(type="pretrained", source="a/b", weights="bf16")


def test_a_source_that_is_not_there_is_told_at_once(tmp_path):
    values = {"name": "n", "corpus": {"sources": [{"type": "folder", "path": "unused"}]}}
    scratch = {**LEVEL, "model": {"preset": "nano"}}
    check_sources(TrainConfig.from_values({**values, "levels": [scratch]}))
    learned = {**LEVEL, "model": {"type": "pretrained", "source": "/no/such/model"}}
    with pytest.raises(ConfigError, match="no such folder"):
        check_sources(TrainConfig.from_values({**values, "levels": [learned]}))
    tokenizer = {"type": "pretrained", "source": str(tmp_path)}
    with pytest.raises(ConfigError, match=r"has no tokenizer\.json"):
        check_sources(
            TrainConfig.from_values({**values, "tokenizer": tokenizer, "levels": [scratch]})
        )


@pytest.fixture
def trainer(start, tokenizer, make_job, make_dataset):
    """A trainer of a level that starts from the tiny model, or goes on from a checkpoint."""
    folder = start()

    def made(checkpoint=None, **model):
        asked = level(type="pretrained", source="unused", **model)
        job = make_job(start_model=str(folder), vocab_size=tokenizer.vocab_size)
        job = job.model_copy(
            update={"level": asked.model_copy(update={"budget": job.level.budget})}
        )
        decoder = loop.saved_decoder(job, checkpoint) if checkpoint else loop.fresh_decoder(job)
        made = LevelTrainer(job, decoder=decoder, dataset=make_dataset("syntax"), exchange=None)
        if checkpoint:
            made.restore(load_state(checkpoint, rank=0))
        return made

    return made


@pytest.mark.parametrize("how", [{}, {"lora": {"rank": 4}}], ids=["whole", "lora"])
def test_a_killed_level_goes_on_as_if_it_had_not_been(trainer, how, tmp_path):
    through = trainer(**how)
    losses = [through.make_step().ce for _ in range(6)]
    first = trainer(**how)
    before = [first.make_step().ce for _ in range(3)]
    first.save(tmp_path / "checkpoint")
    again = trainer(tmp_path / "checkpoint", **how)
    after = [again.make_step().ce for _ in range(3)]
    # Averaging weights in and out of a checkpoint rounds their last bits.
    assert before + after == pytest.approx(losses, rel=1e-5)
    start, learned = trainable(trainer(**how).decoder), trainable(again.decoder)
    assert not any(torch.equal(start[name], learned[name]) for name in start)


def test_a_checkpoint_of_adapters_is_a_whole_model_for_the_nest(trainer, tmp_path):
    learned = trainer(lora={"rank": 4})
    for _ in range(4):
        learned.make_step()
    learned.save(tmp_path / "checkpoint")
    ids = list(range(8, 40))
    learned.optimizer.eval()
    expected = log_probs(learned.decoder, ids)
    found = log_probs(load_model(tmp_path / "checkpoint"), ids)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    manifest = (tmp_path / "checkpoint" / "manifest.json").read_text()
    assert "adapter.safetensors" in manifest
