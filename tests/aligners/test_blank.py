"""The blank by rule, and greedy output that no CTC model gives for speech."""

import numpy as np
import pytest
from transformers import Wav2Vec2Config

from khmer_aligned.aligners.blank import check_greedy, find_blank
from khmer_aligned.errors import UserError

VOCABULARY = ("<s>", "<pad>", "ក", "ខ", "គ")


def emission_of(shares: dict[int, float], frames: int = 1000) -> np.ndarray:
    best = np.repeat(list(shares), [round(share * frames) for share in shares.values()])
    return np.log(np.eye(len(VOCABULARY), dtype=np.float32)[best] + 0.01)


@pytest.mark.parametrize(
    ("tokens", "pad", "blank"),
    [
        (["[PAD]", "ក", "ខ"], 0, 0),
        (["ក", "ខ", "|", "[UNK]", "[PAD]"], 4, 4),
        (["<pad>", "<s>", "</s>", "<unk>", "ក"], 0, 0),
        (["<s>", "<pad>", "</s>", "<unk>", "ក"], 1, 0),
        (["ក", "ខ", "<blank>"], 0, 2),
    ],
)
def test_the_blank_of_the_layouts_in_use(tokens, pad, blank):
    config = Wav2Vec2Config(vocab_size=len(tokens), pad_token_id=pad)
    assert find_blank(config, {token: i for i, token in enumerate(tokens)}) == blank


def test_a_model_without_a_blank_is_refused():
    with pytest.raises(ValueError, match="pad_token_id"):
        find_blank(Wav2Vec2Config(vocab_size=2, pad_token_id=None), {"ក": 0, "ខ": 1})


@pytest.mark.parametrize(
    "shares",
    [{0: 0.7, 2: 0.2, 3: 0.1}, {0: 0.1, 2: 0.4, 3: 0.3, 4: 0.2}, {0: 1.0}],
    ids=["peaky", "held letters", "no speech"],
)
def test_what_ctc_models_give_is_left_alone(shares, recwarn):
    check_greedy("model", emission_of(shares), VOCABULARY, 0)
    assert not recwarn


def test_another_silent_token_in_the_blanks_place_is_an_error():
    with pytest.raises(UserError, match=r"'<pad>', id 1, .* 80% of its frames are '<s>'"):
        check_greedy("model", emission_of({0: 0.8, 2: 0.2}), VOCABULARY, 1)


def test_one_letter_all_the_time_is_said():
    with pytest.warns(UserWarning, match="hardly speech: 90% of its frames are 'ខ'"):
        check_greedy("model", emission_of({0: 0.1, 3: 0.9}), VOCABULARY, 0)


def test_a_second_of_audio_says_nothing():
    check_greedy("model", emission_of({0: 1.0}, frames=50), VOCABULARY, 1)
