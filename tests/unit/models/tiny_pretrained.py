"""A tiny model "that somebody trained": its own byte-level BPE, its own markers, a padded vocabulary."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2Config, Qwen2ForCausalLM

TEXTS = [
    "def area(width, height):\n    return width * height\n\n\ndef volume(width, height, depth):\n"
    "    return area(width, height) * depth\n",
    "class Counter:\n    def __init__(self):\n        self.value = 0\n\n    def add(self, value):\n"
    "        self.value += value\n        return self.value\n",
]
OWN_MARKERS = [
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|file_sep|>",
]
PADDED_TO = 640


def own_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    # Line breaks between statements are merged with what stands before and after them.
    tokenizer.train_from_iterator([text * 3 for text in TEXTS], trainer)
    tokenizer.add_special_tokens(OWN_MARKERS)
    return tokenizer


def write_pretrained(directory):
    """A folder as `save_pretrained` leaves it: Qwen2 with biases, grouped heads, tied embedding."""
    own_tokenizer().save(str(directory / "tokenizer.json"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=PADDED_TO,
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=512,
                tie_word_embeddings=True,
                initializer_range=0.3,
            )
        )
    model.save_pretrained(directory)
    return directory
