"""A small Whisper in the shape of OpenAI's: a window of 30 s, 80 mel bins and 51,865 ids."""

from __future__ import annotations

import json
from itertools import islice, product

import torch
from tokenizers import Tokenizer
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from khmer_aligned.hub.resolve import Source
from khmer_whisper import model as models
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.examples.rows import Row, waveform
from khmer_whisper.labels import Labeller
from khmer_whisper.model import Whisper
from khmer_whisper.vocabulary.learn import symbols

from ...conftest import ASSETS
from ..vocabulary.small import small_tokenizer

TEXT_ENTRIES = 50_257
POSITIONS = 448


def standard_tokenizer() -> WhisperTokenizer:
    """The small tokenizer with Georgian entries that nothing is written with, up to 51,865 ids."""
    tokenizer = small_tokenizer()
    table = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = table["model"]["vocab"]
    missing = TEXT_ENTRIES - len(vocabulary)
    letters = [symbols(chr(c)) for c in range(0x10D0, 0x10F5)]
    words = ("".join(letters) for letters in product(letters, repeat=3))
    vocabulary |= {word: len(vocabulary) + i for i, word in enumerate(islice(words, missing))}
    for token in table["added_tokens"]:
        token["id"] += missing
    for token in table["post_processor"]["special_tokens"].values():
        token["ids"] = [i + missing for i in token["ids"]]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(table))
    tokenizer.set_prefix_tokens(language="khmer", task="transcribe", predict_timestamps=False)
    return tokenizer


def standard_whisper() -> Whisper:
    """The demo's Whisper in that shape: the encoder's positions are sinusoids of any length."""
    demo = models.load(str(ASSETS / "whisper"))
    tokenizer = standard_tokenizer()
    labeller = Labeller(tokenizer)
    config = WhisperConfig(
        **demo.model.config.to_dict()
        | {
            "vocab_size": len(tokenizer),
            "max_source_positions": 1500,
            "max_target_positions": POSITIONS,
            "decoder_start_token_id": labeller.start,
            "pad_token_id": labeller.end,
            "bos_token_id": labeller.end,
            "eos_token_id": labeller.end,
            "dtype": "float32",
        }
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).eval()
    weights = model.state_dict()
    special = demo.labeller.end
    for name, tensor in demo.model.state_dict().items():
        if tensor.shape == weights[name].shape:
            weights[name].copy_(tensor)
        elif name == "model.decoder.embed_positions.weight":
            weights[name][: len(tensor)] = tensor
        elif name.endswith(("embed_tokens.weight", "proj_out.weight")):
            weights[name].zero_()
            weights[name][:256] = tensor[:256]
            weights[name][labeller.end :] = tensor[special:]
    model.generation_config = models.generation_config(model, labeller)
    extractor = WhisperFeatureExtractor(feature_size=80)
    source = Source(path="standard", revision=None, repo_type="model")
    return Whisper(model, tokenizer, extractor, labeller, source)


def memorize(whisper: Whisper, rows: list[Row], steps: int) -> None:
    """Train the decoder until it writes the texts of `rows` without a near tie."""
    model, labeller, extractor = whisper.model, whisper.labeller, whisper.extractor
    labels = [labeller.plain(row["text"]) for row in rows]
    table = model.model.decoder.embed_tokens.weight.detach()
    in_use = table.abs().sum(1).nonzero()[:, 0]  # the rows of the others are zero
    ids = torch.cat([in_use, torch.arange(labeller.end - 1, labeller.end)])
    place = {int(label): k for k, label in enumerate(ids)}
    with torch.no_grad():
        features = log_mel(stack([waveform(row) for row in rows], extractor), extractor)
        hidden = model.model.encoder(features).last_hidden_state
    decoder = model.model.decoder
    optimizer = torch.optim.Adam(decoder.parameters(), 1e-3)
    for _ in range(steps):
        for item, states in zip(labels, hidden, strict=True):
            output = decoder(torch.tensor([item.inputs]), encoder_hidden_states=states[None])
            scores = output.last_hidden_state[0] @ decoder.embed_tokens.weight[ids].T
            targets = torch.tensor([place[label] for label in item.labels])
            torch.nn.functional.cross_entropy(scores, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
