"""Labels are counted by the tokenizer that a clip is trained with."""

import pytest
from transformers import AutoTokenizer

from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.errors import UserError


def test_the_longer_form_counts(tokenizer_folder):
    count_labels = LabelCounter(str(tokenizer_folder))
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    written, spoken = "៣ ហិកតា", "បី ហិកតា"
    lengths = [len(tokenizer(t, add_special_tokens=False).input_ids) for t in (written, spoken)]
    assert lengths[0] < lengths[1]
    assert count_labels(written, spoken) == count_labels(spoken, written) == lengths[1]


def test_a_folder_without_a_tokenizer_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded as a tokenizer") as caught:
        LabelCounter(str(tmp_path))
    assert "\n" not in str(caught.value)
