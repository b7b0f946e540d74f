"""Small corpora to read."""

from pathlib import Path

import numpy as np
import soundfile as sf

from khmer_aligned.recordings import sources
from khmer_aligned.schema import Recording

TEXT = "ខ្ញុំទៅផ្សារ។"


def write_sound(path: Path, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(int(16_000 * seconds)), 16_000)


def read(root: Path) -> list[Recording]:
    return list(sources.read(sources.find(str(root))))
