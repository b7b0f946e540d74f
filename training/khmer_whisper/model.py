"""A Whisper with everything that has to agree with it: tokenizer, log-mel, window, generation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    """A checkpoint, loaded: any Whisper, from a folder or the Hub."""

    model: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    extractor: WhisperFeatureExtractor
    labeller: Labeller
    source: Source

    @property
    def seconds(self) -> float:
        """The model's window."""
        return self.extractor.n_samples / SAMPLE_RATE

    @property
    def max_tokens(self) -> int:
        """Decoder inputs that still leave the model room to say the end token."""
        return self.model.config.max_target_positions - 1

    @property
    def device(self) -> torch.device:
        return self.model.device

    def save(self, folder: Path) -> None:
        """Everything `from_pretrained` and `pipeline` need, tokenizer.json among it."""
        self.model.save_pretrained(folder)
        for weights in folder.glob("*.safetensors"):  # which come out readable for nobody else
            weights.chmod((folder / "config.json").stat().st_mode)
        WhisperProcessor(self.extractor, self.tokenizer).save_pretrained(folder)
        # Older loaders, CTranslate2's among them, read the features' settings from this name.
        self.extractor.save_pretrained(folder)


def load(name: str) -> Whisper:
    """The Whisper at a Hub id (with @revision) or in a folder: float32 on the CPU.

    Its generation config is fresh, with Khmer and transcription as the defaults; what the
    checkpoint suppresses stays suppressed. Raises UserError where the parts do not fit together.
    """
    source = resolve(name, "model")
    options = {"revision": source.revision} if source.revision else {}
    try:
        model = WhisperForConditionalGeneration.from_pretrained(
            source.path, dtype=torch.float32, use_safetensors=True, **options
        )
        tokenizer = WhisperTokenizer.from_pretrained(source.path, **options)
        restore_pre_tokenizer(tokenizer, source)
        extractor = WhisperFeatureExtractor.from_pretrained(source.path, **options)
    except Exception as error:  # whatever a file that is missing or damaged makes them raise
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be loaded as a Whisper model: {reason}") from error
    # Its tokenizer may well have ids for other languages, which nobody has trained.
    if getattr(model.generation_config, "is_multilingual", None) is False:
        raise UserError(f"{name}: is an English-only Whisper; give a multilingual one")
    _check(name, model, tokenizer, extractor)
    tokenizer.set_prefix_tokens(language=LANGUAGE, task=TASK, predict_timestamps=False)
    labeller = Labeller(tokenizer)
    model.generation_config = generation_config(model, labeller)
    return Whisper(model, tokenizer, extractor, labeller, source)


def generation_config(
    model: WhisperForConditionalGeneration, labeller: Labeller
) -> GenerationConfig:
    """Khmer transcription as the default of `generate`, of `pipeline` and of every reload.

    Made anew: changes to a generation config that was derived from the model's are dropped when
    the model is saved and loaded again.
    """
    before = model.generation_config
    config = GenerationConfig(
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
        suppress_tokens=before.suppress_tokens or labeller.unspoken,
        # Not the model's: a config without them has those of the English-only Whisper, which lie
        # outside a small vocabulary, and CTranslate2 writes where they point.
        begin_suppress_tokens=[*labeller.text_ids(" "), labeller.end],
    )
    if getattr(before, "alignment_heads", None):
        config.alignment_heads = before.alignment_heads
    return config


def computes_in_bfloat16() -> bool:
    """Whether there is a GPU that can: where it is emulated, float32 is faster.

    float16 is never taken: large Whispers overflow it.
    """
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def place(whisper: Whisper) -> Whisper:
    """Move the model to the GPU, if there is one, for inference. Its weights stay float32."""
    whisper.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return whisper


def _check(
    name: str,
    model: WhisperForConditionalGeneration,
    tokenizer: WhisperTokenizer,
    extractor: WhisperFeatureExtractor,
) -> None:
    config = model.config
    encoder = model.model.encoder
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
    sample = "ខ្មែរ"
    if tokenizer.decode(tokenizer(sample, add_special_tokens=False).input_ids) != sample:
        raise UserError(f"{name}: the tokenizer cannot write {sample}; is tokenizer.json missing?")
    if len(tokenizer) > config.vocab_size:
        raise UserError(
            f"{name}: the tokenizer has {len(tokenizer)} ids, the model only {config.vocab_size}"
        )
