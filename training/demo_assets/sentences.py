"""Random Khmer phrases, for the speech that the demo's two checkpoints are trained on."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt")

# Loose grammar: enough that the phrases sound like Khmer, too loose for a decoder to guess the
# next word without listening.
PATTERNS = [
    "when person helper verb noun",
    "person helper verb noun quality",
    "person verb noun number unit",
    "noun where quality ending",
    "where link person number unit",
    "link person helper verb ending",
    "noun link noun quality ending",
    "person link person verb where",
    "verb noun where",
    "when noun quality ending",
    "noun link person",
    "number unit ending",
    "link verb noun ending",
]
SHUFFLED = 0.3  # share of phrases that are just words


def lexicon() -> dict[str, list[str]]:
    """The words of words.txt by their kind."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {kind: words.split() for kind, words in pairs}


def random_phrase(words: dict[str, list[str]], chance: random.Random) -> str:
    """One phrase, written without spaces as Khmer is."""
    if chance.random() < SHUFFLED:
        kinds = chance.choices(list(words), weights=[len(w) for w in words.values()], k=4)
    else:
        kinds = chance.choice(PATTERNS).split()
    return "".join(chance.choice(words[kind]) for kind in kinds)


def random_sentence(
    words: dict[str, list[str]], chance: random.Random, max_bytes: int, max_phrases: int
) -> str:
    """One to `max_phrases` phrases with spaces between them and ។ at the end, if they fit."""
    phrases = [random_phrase(words, chance)]
    for _ in range(chance.randint(0, max_phrases - 1)):
        longer = [*phrases, random_phrase(words, chance)]
        if len(written(longer).encode()) > max_bytes:
            break
        phrases = longer
    return written(phrases)


def written(phrases: list[str]) -> str:
    """Phrases as a sentence."""
    return " ".join(phrases) + "។"
