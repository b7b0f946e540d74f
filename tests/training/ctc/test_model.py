"""What a training may start from, and the folder that it leaves."""

import pytest
import torch
from transformers import (
    AutoModelForCTC,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
)

from khmer_aligned import aligners
from khmer_aligned.errors import UserError
from khmer_whisper.ctc.model import KHMER, Sizes, from_base, from_scratch, save

from ...aligners import omniasr


@pytest.fixture
def encoder(tmp_path):
    """A self-supervised wav2vec 2.0, without a head and without a tokenizer."""
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )
    Wav2Vec2Model(config).save_pretrained(tmp_path / "encoder")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def trainable(aligner) -> set[str]:
    return {name for name, weight in aligner.model.named_parameters() if weight.requires_grad}


def test_a_self_supervised_encoder_gets_a_head(encoder):
    aligner, source = from_base(str(encoder))
    assert aligner.model.lm_head.out_features == len(KHMER) == aligner.model.config.vocab_size
    assert source.path == str(encoder)
    assert not any(name.startswith("wav2vec2.feature_extractor") for name in trainable(aligner))
    frozen, _ = from_base(str(encoder), freeze=True)
    assert trainable(frozen) == {"lm_head.weight", "lm_head.bias"}


def test_a_ctc_model_keeps_what_its_head_knows_of_khmer(tmp_path):
    folder = omniasr.write(tmp_path)
    before = Wav2Vec2ForCTC.from_pretrained(folder).lm_head
    aligner, _ = from_base(str(folder))
    head, ids = aligner.model.lm_head, omniasr.vocabulary()
    for token, other in (("ក", "ក"), ("a", "a"), ("<pad>", "<s>")):  # the blank is <s> there
        torch.testing.assert_close(head.weight[KHMER.index(token)], before.weight[ids[other]])
        torch.testing.assert_close(head.bias[KHMER.index(token)], before.bias[ids[other]])


def test_letters_that_a_ctc_model_knows_begin_the_khmer_ones(tmp_path):
    aligner = from_scratch(("<pad>", *"abcdefghijklmnopqrstuvwxyz"), Sizes(hidden=32, layers=1))
    save(aligner, tmp_path / "romanized")
    before = aligner.model.lm_head
    begun, _ = from_base(str(tmp_path / "romanized"))
    after = begun.model.lm_head
    for character, letter in (("ក", "k"), ("ខ", "k"), ("ា", "a"), ("អ", "q"), ("<pad>", "<pad>")):
        row = aligner.vocabulary.index(letter)
        torch.testing.assert_close(after.weight[KHMER.index(character)], before.weight[row])


def test_a_whispers_encoder_gets_a_head_and_can_stay_as_it_is(tiny_folder, tiny):
    aligner, _ = from_base(str(tiny_folder), freeze=True)
    assert not any(name.startswith("encoder.") for name in trainable(aligner))
    assert "lm_head.weight" in trainable(aligner)
    own = aligner.model.encoder.layers[0].fc1.weight
    torch.testing.assert_close(own, tiny.model.model.encoder.layers[0].fc1.weight)


def test_a_whisper_without_a_head_is_no_aligner(tiny_folder):
    with pytest.raises(UserError, match="train-aligner DATASET OUT --model"):
        aligners.load(str(tiny_folder))


def test_what_has_no_audio_is_refused_in_one_line(tokenizer_folder):
    with pytest.raises(UserError, match="no aligner can be made of it") as caught:
        from_base(str(tokenizer_folder))
    assert "\n" not in str(caught.value)


def test_a_saved_aligner_is_loaded_with_its_tokens(tmp_path):
    torch.manual_seed(0)
    aligner = from_scratch(sizes=Sizes(hidden=32, layers=1))
    save(aligner, tmp_path)
    loaded = aligners.load(str(tmp_path))
    assert loaded.vocabulary == KHMER and loaded.blank == 0
    assert loaded.stride == 320
    again = AutoModelForCTC.from_pretrained(tmp_path).state_dict()
    for name, weight in aligner.model.state_dict().items():
        torch.testing.assert_close(again[name], weight)
