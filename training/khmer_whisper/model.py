"""A Whisper and what has to agree with it: tokenizer, log-mel, window, generation config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source, resolve
from khmer_aligned.hub.tokenizer import restore_pre_tokenizer
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.config import LANGUAGE
from khmer_whisper.labels import TASK, Labeller


@dataclass(frozen=True, slots=True)
class Whisper:
    """A loaded checkpoint: any multilingual Whisper, from a folder or the Hub.

    `clip_seconds`: the length that 95 % of the clips it was tuned on do not exceed, `languages`:
    those of the clips; None and () for a checkpoint of others. Both are stored in config.json, so
    that they stay with the weights.
    """

    model: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    extractor: WhisperFeatureExtractor
    labeller: Labeller
    source: Source
    clip_seconds: float | None = None
    languages: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The length of the model's window."""
        return self.extractor.n_samples / SAMPLE_RATE

    @property
    def khmer_vocabulary(self) -> dict[str, Any] | None:
        """What `vocabulary.extend` has recorded in the configuration: base, tokens, overwritten."""
        return getattr(self.model.config, "khmer_vocabulary", None)

    @property
    def max_labels(self) -> int:
        """How many inputs the decoder can read and still give the end token."""
        return self.model.config.max_target_positions - 1

    @property
    def device(self) -> torch.device:
        return self.model.device

    def move(self, device: torch.device | str) -> None:
        """Move the weights to a device."""
        torch.nn.Module.to(self.model, device)  # of transformers' own `to` the types are lost

    def save(self, folder: Path) -> None:
        """Write everything that `from_pretrained` and `pipeline` need, tokenizer.json included."""
        if self.clip_seconds is not None:
            self.model.config.update({"clip_seconds": self.clip_seconds})
        if self.languages:
            self.model.config.update({"tuned_languages": list(self.languages)})
        self.model.save_pretrained(folder)
        for weights in folder.glob("*.safetensors"):  # written readable for their owner alone
            weights.chmod((folder / "config.json").stat().st_mode)
        WhisperProcessor(self.extractor, self.tokenizer).save_pretrained(folder)
        # Older loaders, CTranslate2's among them, read preprocessor_config.json.
        self.extractor.save_pretrained(folder)


def load(name: str) -> Whisper:
    """Load the Whisper at a Hub id (with @revision) or in a folder: float32 on the CPU.

    Its generation config is new, with Khmer and transcription as defaults; what the checkpoint
    suppresses stays suppressed. Raises UserError where the parts do not fit together.
    """
    source = resolve(name, "model")
    revision = source.revision or "main"  # a folder has none
    try:
        model = WhisperForConditionalGeneration.from_pretrained(
            source.path, dtype=torch.float32, use_safetensors=True, revision=revision
        )
        tokenizer = WhisperTokenizer.from_pretrained(source.path, revision=revision)
        restore_pre_tokenizer(tokenizer, source)
        extractor = WhisperFeatureExtractor.from_pretrained(source.path, revision=revision)
    except Exception as error:  # missing or damaged files raise errors of many types
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be loaded as a Whisper model: {reason}") from error
    # The tokenizer of an English-only Whisper has ids for other languages, which are not trained.
    if getattr(model.generation_config, "is_multilingual", None) is False:
        raise UserError(f"{name}: is an English-only Whisper; give a multilingual one")
    _check_features(name, model, extractor)
    _check_tokenizer(name, model, tokenizer)
    tokenizer.set_prefix_tokens(language=LANGUAGE, task=TASK, predict_timestamps=False)
    labeller = Labeller(tokenizer)
    model.generation_config = generation_config(model, labeller)
    clip_seconds = getattr(model.config, "clip_seconds", None)
    languages = tuple(getattr(model.config, "tuned_languages", None) or ())
    return Whisper(model, tokenizer, extractor, labeller, source, clip_seconds, languages)


def generation_config(
    model: WhisperForConditionalGeneration, labeller: Labeller
) -> GenerationConfig:
    """A generation config that makes Khmer transcription the default of `generate` and `pipeline`.

    It is a new one: changes to a config that transformers derived from the model's are dropped
    when the model is saved and loaded.
    """
    before = model.generation_config
    heads = getattr(before, "alignment_heads", None)  # for word times
    return GenerationConfig(
        decoder_start_token_id=labeller.start,
        bos_token_id=labeller.end,
        eos_token_id=labeller.end,
        pad_token_id=labeller.end,
        is_multilingual=True,
        language=LANGUAGE,
        task=TASK,
        lang_to_id=labeller.languages,
        task_to_id=labeller.tasks,
        no_timestamps_token_id=labeller.no_timestamps,
        prev_sot_token_id=labeller.previous,
        max_initial_timestamp_index=50,
        max_length=model.config.max_target_positions,
        return_timestamps=False,
        suppress_tokens=before.suppress_tokens or labeller.not_text,
        # Not the model's: without them in its config they are those of the English-only Whisper,
        # outside a small vocabulary, where CTranslate2 would write out of bounds.
        begin_suppress_tokens=[*labeller.encode(" "), labeller.end],
        **({"alignment_heads": heads} if heads else {}),
    )


def computes_in_bfloat16() -> bool:
    """Whether there is a GPU with bfloat16. Where it is emulated, float32 is faster.

    float16 is never used: the activations of large Whispers overflow it.
    """
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def place(whisper: Whisper) -> Whisper:
    """Move the model to the GPU, if there is one, for inference. Its weights stay float32."""
    whisper.model.eval()
    whisper.move("cuda" if torch.cuda.is_available() else "cpu")
    return whisper


def _check_features(
    name: str, model: WhisperForConditionalGeneration, extractor: WhisperFeatureExtractor
) -> None:
    """Raises UserError where the log-mel does not have the shape that the encoder reads."""
    config, encoder = model.config, model.model.encoder
    frames = config.max_source_positions * encoder.conv1.stride[0] * encoder.conv2.stride[0]
    if extractor.nb_max_frames != frames:
        raise UserError(
            f"{name}: the encoder reads {frames} frames but preprocessor_config.json makes "
            f"{extractor.nb_max_frames}; set chunk_length to {frames // 100}"
        )
    if extractor.feature_size != config.num_mel_bins:
        raise UserError(
            f"{name}: the encoder reads {config.num_mel_bins} mel bins but "
            f"preprocessor_config.json makes {extractor.feature_size}; set feature_size"
        )


def _check_tokenizer(
    name: str, model: WhisperForConditionalGeneration, tokenizer: WhisperTokenizer
) -> None:
    """Raises UserError where the tokenizer cannot write Khmer or has more ids than the model."""
    sample = "ខ្មែរ"
    if tokenizer.decode(tokenizer(sample, add_special_tokens=False).input_ids) != sample:
        raise UserError(f"{name}: the tokenizer cannot write {sample}; is tokenizer.json missing?")
    if len(tokenizer) > model.config.vocab_size:
        raise UserError(
            f"{name}: the tokenizer has {len(tokenizer)} ids, the model only "
            f"{model.config.vocab_size}"
        )
