"""Acoustic models: a waveform to the log-probability of each token at each frame."""

from __future__ import annotations

from khmer_aligned.aligners.base import MMS_NAME, Aligner
from khmer_aligned.hub.resolve import resolve

MMS = "mms"


def identity(name: str) -> str:
    """The aligner's name in a record of an alignment, its weights included."""
    return MMS_NAME if name == MMS else resolve(name, "model").identity


def load(name: str, *, rank: int | None = None, lag: float | None = None) -> Aligner:
    """Load `mms`, or a CTC model of `transformers` by folder or Hub id, on this process's device.

    rank: of this worker process of `Dataset.map`. lag: seconds by which the aligner's tokens come
    late, for recordings with too few pauses to measure it. Raises UserError for a model that
    cannot be loaded or is no CTC model.
    """
    # Imported here because these libraries take seconds, and `--help` needs none of them.
    from khmer_aligned.aligners.ctc import CtcAligner
    from khmer_aligned.aligners.mms import MmsAligner
    from khmer_aligned.aligners.windows import pick_device

    device = pick_device(rank)
    aligner = MmsAligner(device) if name == MMS else CtcAligner(name, device)
    if lag is not None:
        aligner.lag = lag
    return aligner
