"""The model that a training starts from: a small one from scratch, or a base with a new head."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoTokenizer,
    PreTrainedModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForCTC,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperModel,
)

from khmer_aligned.aligners.blank import find_blank
from khmer_aligned.aligners.ctc import CtcAligner, ctc_class
from khmer_aligned.aligners.features import Extractor
from khmer_aligned.aligners.whisper import WhisperForCTC
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source, resolve
from khmer_aligned.text.romanize import romanize
from khmer_whisper.ctc.loss import BLANK

BLANK_TOKEN = "<pad>"
# Khmer as canonical text is written, without digits, which are read as words; and Latin names.
KHMER = (
    BLANK_TOKEN,
    *(chr(c) for c in range(0x1780, 0x17D4) if c not in (0x17A3, 0x17A4, 0x17B4, 0x17B5)),
    "\u17dd",
    *"abcdefghijklmnopqrstuvwxyz'",
)
_STACKED = 2  # log-mel frames of 10 ms in a step


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a small model from scratch; by default 2.4 M parameters."""

    hidden: int = 144
    layers: int = 5
    dropout: float = 0.05


SMALL = Sizes()


def from_scratch(tokens: Sequence[str] = KHMER, sizes: Sizes = SMALL) -> CtcAligner:
    """A small conformer (wav2vec 2.0 BERT) over log-mel, with random weights."""
    extractor = SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, stride=_STACKED)
    config = Wav2Vec2BertConfig(
        vocab_size=len(tokens),
        hidden_size=sizes.hidden,
        output_hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=4,
        intermediate_size=4 * sizes.hidden,
        feature_projection_input_dim=extractor.num_mel_bins * _STACKED,
        position_embeddings_type="rotary",
        conv_depthwise_kernel_size=15,
        pad_token_id=BLANK,
        bos_token_id=None,
        eos_token_id=None,
        layerdrop=0.0,
        feat_proj_dropout=0.0,
        apply_spec_augment=False,  # the examples are masked already
        hidden_dropout=sizes.dropout,
        attention_dropout=0.0,  # with it, attention on a CPU takes several times as long
        activation_dropout=sizes.dropout,
        conformer_conv_dropout=sizes.dropout,
        final_dropout=sizes.dropout,
    )
    return _aligner(Wav2Vec2BertForCTC(config), extractor, tokens)


def from_base(name: str, *, freeze: bool = False) -> tuple[CtcAligner, Source]:
    """The model at a Hub id or in a folder with a head over KHMER. With `freeze` only the head can
    be trained.

    Where the model has a head, the rows of these characters are kept, and the others begin as the
    row of the letter that they are romanized with.

    Raises UserError for a model that no CTC head fits on.
    """
    source = resolve(name, "model")
    options: dict[str, Any] = {"revision": source.revision, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(source.path, **options)
        extractor = AutoFeatureExtractor.from_pretrained(source.path, **options)
        own_head = any(each.endswith("ForCTC") for each in config.architectures or ())
        if config.model_type == "whisper" and not own_head:
            model: PreTrainedModel = _on_whisper(source, options)
        else:
            model = ctc_class(config).from_pretrained(
                source.path,
                **options,
                use_safetensors=True,
                dtype=torch.float32,
                **({"attention_dropout": 0.0} if hasattr(config, "attention_dropout") else {}),
                **({} if own_head else {"vocab_size": len(KHMER), "pad_token_id": BLANK}),
            )
        if own_head:
            vocabulary = AutoTokenizer.from_pretrained(source.path, **options).get_vocab()
            _replace_head(model, vocabulary)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: no aligner can be made of it: {reason}") from error
    if hasattr(model.config, "layerdrop"):
        model.config.layerdrop = 0.0
    _freeze(model, whole=freeze)
    return _aligner(model, extractor, KHMER), source


def save(aligner: CtcAligner, folder: Path) -> None:
    """Write the folder that `--aligner` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    aligner.model.save_pretrained(folder)
    for weights in folder.glob("*.safetensors"):  # which come out readable for nobody else
        weights.chmod((folder / "config.json").stat().st_mode)
    vocabulary = {token: i for i, token in enumerate(aligner.vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    blank = aligner.vocabulary[BLANK]
    tokenizer = Wav2Vec2CTCTokenizer(
        str(folder / "vocab.json"),
        bos_token=None,
        eos_token=None,
        unk_token=blank,
        pad_token=blank,
        word_delimiter_token=blank,
    )
    tokenizer.save_pretrained(folder)
    cast(SeamlessM4TFeatureExtractor, aligner.extractor).save_pretrained(folder)


def _aligner(model: PreTrainedModel, extractor: Extractor, tokens: Sequence[str]) -> CtcAligner:
    return CtcAligner("", model, extractor, {token: i for i, token in enumerate(tokens)})


def _on_whisper(source: Source, options: dict[str, Any]) -> WhisperForCTC:
    whisper = WhisperModel.from_pretrained(
        source.path, **options, use_safetensors=True, dtype=torch.float32
    )
    settings = whisper.config.to_dict() | {
        "vocab_size": len(KHMER),
        "pad_token_id": BLANK,
        "bos_token_id": None,
        "eos_token_id": None,
        "decoder_start_token_id": BLANK,
        "suppress_tokens": None,
        "begin_suppress_tokens": None,
    }
    model = WhisperForCTC(WhisperConfig.from_dict(settings))
    model.encoder.load_state_dict(whisper.encoder.state_dict())
    return model


def _replace_head(model: PreTrainedModel, vocabulary: Mapping[str, int]) -> None:
    """A head over KHMER whose rows are those of the model's own head, where it has them: of the
    character, else of the first letter that it is romanized with."""
    before = cast(torch.nn.Linear, model.lm_head)
    head = torch.nn.Linear(before.in_features, len(KHMER))
    letters = {token: token if token in vocabulary else romanize(token)[0][:1] for token in KHMER}
    known = [
        (i, vocabulary[letters[token]])
        for i, token in enumerate(KHMER)
        if i != BLANK and letters[token] in vocabulary
    ]
    known.append((BLANK, find_blank(model.config, vocabulary)))
    rows, own = (torch.tensor(each) for each in zip(*known, strict=True))
    with torch.no_grad():
        head.weight[rows] = before.weight[own]
        head.bias[rows] = before.bias[own]
    model.lm_head = head
    model.config.vocab_size, model.config.pad_token_id = len(KHMER), BLANK


def _freeze(model: PreTrainedModel, *, whole: bool) -> None:
    """Keep the convolutions in front of wav2vec 2.0 as they are, as its authors do, or the whole
    encoder."""
    if hasattr(model, "freeze_feature_encoder"):
        cast(Wav2Vec2ForCTC, model).freeze_feature_encoder()
    if whole:
        encoder = model.encoder if isinstance(model, WhisperForCTC) else model.base_model
        encoder.requires_grad_(False)
