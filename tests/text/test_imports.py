"""What `import khmer_aligned.text` loads."""

import subprocess
import sys

# Slow to load, and not needed before a word is romanized.
HEAVY = {"numpy", "torch", "transformers", "uroman"}


def test_text_loads_quickly():
    code = "import sys, khmer_aligned.text; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "khmer_aligned.text" in loaded.stdout.split()
    assert not HEAVY & set(loaded.stdout.split())
