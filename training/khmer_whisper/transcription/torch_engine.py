"""The engine `transformers`: a Whisper in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from khmer_aligned.errors import UserError
from khmer_whisper.decode import encode, evaluating, read_output, search
from khmer_whisper.model import Whisper, computes_in_bfloat16
from khmer_whisper.transcription.engine import Decoded

COMPUTE_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_SEED = 0


class TorchEngine:
    """Decodes with PyTorch; see `engine.Engine`.

    compute_type: float32 or bfloat16, over float32 weights; None for bfloat16 on a GPU that has it.
    Raises UserError for another one.
    """

    name = "transformers"

    def __init__(self, whisper: Whisper, compute_type: str | None = None) -> None:
        if compute_type not in (None, *COMPUTE_TYPES):
            raise UserError(
                f"--compute-type {compute_type}: with the engine transformers it is "
                f"{' or '.join(COMPUTE_TYPES)}; export the model for another one"
            )
        self.whisper = whisper
        self.labeller = whisper.labeller
        self.seconds = whisper.seconds
        self.clip_seconds = whisper.clip_seconds
        self.languages = whisper.languages
        self.positions = whisper.model.config.max_target_positions
        on_gpu = whisper.device.type == "cuda" and computes_in_bfloat16()
        self._dtype = (
            COMPUTE_TYPES[compute_type]
            if compute_type
            else (torch.bfloat16 if on_gpu else torch.float32)
        )

    def decode(
        self,
        waveforms: Sequence[np.ndarray],
        prompt: Sequence[int],
        *,
        beams: int,
        temperature: float,
    ) -> list[Decoded]:
        device = self.whisper.device
        devices = [device] if device.type == "cuda" else []
        with (
            torch.no_grad(),
            torch.autocast(device.type, self._dtype, enabled=self._dtype != torch.float32),
            torch.random.fork_rng(devices=devices),
        ):
            encoded = encode(self.whisper, waveforms)
            if temperature == 0:
                rows = search(self.whisper, encoded, prompt, beams)
            else:  # one at a time, so that no draw depends on the neighbours
                rows = []
                for one in encoded:
                    torch.manual_seed(_SEED)
                    rows += search(self.whisper, one[None], prompt, 1, temperature)
            return [
                self._read(row, scores)
                for row, scores in zip(rows, self._score(encoded, prompt, rows), strict=True)
            ]

    def _read(self, row: list[int], scores: tuple[float, float]) -> Decoded:
        result = read_output(self.labeller, row)
        return Decoded(result.text, result.looped, *scores)

    def _score(
        self, encoded: torch.Tensor, prompt: Sequence[int], rows: Sequence[Sequence[int]]
    ) -> list[tuple[float, float]]:
        """For each row of ids its mean log-probability, and the probability of no speech.

        The decoder reads all ids at once; the logits are made row by row, as those of a batch
        would fill the memory. The probability of no speech is that of its token behind
        <|startoftranscript|> (Radford et al. 2022, section 4.5).
        """
        whisper = self.whisper
        longest = max(map(len, rows))
        inputs = [[*prompt, *row, *[self.labeller.end] * (longest - len(row))][:-1] for row in rows]
        with evaluating(whisper.model):
            hidden = whisper.model.model.decoder(
                input_ids=torch.tensor(inputs, device=whisper.device),
                encoder_hidden_states=encoded,
                use_cache=False,
            ).last_hidden_state
        start = list(prompt).index(self.labeller.start)
        scores = []
        for states, row in zip(hidden, rows, strict=True):
            # The end token was read by nobody where the decoder had no position left for it.
            logits = whisper.model.proj_out(states[len(prompt) - 1 :][: len(row)]).float()
            logits[:, whisper.model.generation_config.suppress_tokens] = -torch.inf
            chosen = torch.tensor(row, device=logits.device)[:, None]
            mean = logits.log_softmax(-1).gather(1, chosen).mean().item() if row else -torch.inf
            silent = whisper.model.proj_out(states[start]).float().softmax(-1)
            scores.append((mean, silent[self.labeller.no_speech].item()))
        return scores
