"""What every test may use."""

from pathlib import Path

from .hub.fixtures import hub as hub

# Real recordings and models, where there are some beside the checkout; tests that need them skip.
SHARED = Path(__file__).parents[2] / "shared"
