"""Random sentences for the speech that the demo's models are trained on."""

import random

from demo_assets import sentences
from khmer_aligned.text import Transcript, normalize


def test_words_are_canonical_and_have_letters():
    words = [word for kind in sentences.lexicon().values() for word in kind]
    assert len(set(words)) > 500
    for word in words:
        assert normalize(word) == word
        assert all(spoken.romanized for spoken in Transcript.from_text(word).words)


def test_random_sentences_fit_and_differ():
    words = sentences.lexicon()
    chance = random.Random(0)
    made = [sentences.random_sentence(words, chance, 130, 3) for _ in range(200)]
    assert len(set(made)) == 200
    several = [text for text in made if " " in text]
    assert several
    assert max(len(text.encode()) for text in several) <= 130
    assert all(text.endswith("។") for text in made)
