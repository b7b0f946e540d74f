"""Omnilingual ASR: its blank, its input, and 10,288 columns pruned to what Khmer needs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2ForCTC

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.columns import REST
from khmer_aligned.aligners.windows import compute_emissions
from khmer_aligned.alignment import viterbi
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

from .omniasr import VOCABULARY_SIZE, vocabulary, write

NAME = "aadel4/omniASR-CTC-300M-v2"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("omniasr"))


@pytest.fixture(scope="module")
def aligner(folder):
    return aligners.load(str(folder))


@pytest.fixture(scope="module")
def speech(recordings):
    return audio.load(recordings / "farm.ogg", name="farm")[: 45 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def both(aligner, speech):
    """Emissions over all columns, and those that are kept."""
    everything = replace(aligner.front_end, select=None)
    return compute_emissions(everything, [speech], CPU)[0], aligner.emissions([speech])[0]


@pytest.mark.parametrize("pad", [0, 1])
def test_the_blank_is_the_first_token_whatever_is_called_padding(tmp_path, pad):
    model = aligners.load(str(write(tmp_path / "model", pad_token_id=pad)))
    assert model.vocabulary[model.blank] == "<s>"


def test_the_kept_columns_are_those_of_the_whole(aligner, both):
    whole, kept = both
    ids = vocabulary()
    assert whole.shape[1] == VOCABULARY_SIZE
    columns = [ids[token] for token in aligner.vocabulary[:-1]]
    np.testing.assert_array_equal(kept[:, :-1], whole[:, columns])
    assert aligner.vocabulary[-1] == REST
    np.testing.assert_array_equal(kept[:, -1], np.delete(whole, columns, axis=1).max(axis=1))
    assert {*"កខគស្តា", "<s>"} <= set(aligner.vocabulary)


def test_an_hour_takes_a_tenth_of_a_gigabyte(aligner, both):
    frames = 3600 * SAMPLE_RATE // aligner.stride
    assert both[1].nbytes / len(both[1]) * frames < 0.12e9
    assert both[0].nbytes / len(both[0]) * frames > 7e9


def test_the_best_path_and_its_score_are_those_of_the_whole(aligner, both, recordings):
    whole, kept = both
    text = (recordings / "farm.txt").read_text(encoding="utf-8")[:120]
    words = [aligner.tokens(word).texts for word in Transcript.from_text(text).words]
    assert sum(map(len, words)) > 60
    paths = []
    for emission, ids in (
        (whole, vocabulary()),
        (kept, {token: i for i, token in enumerate(aligner.vocabulary)}),
    ):
        star = emission.shape[1]
        target = [star]
        for word in words:
            target += [*(ids[character] for character in word), star]
        paths.append(viterbi.align(emission, np.array(target), ids["<s>"], star))
    np.testing.assert_array_equal(paths[0].position, paths[1].position)
    assert paths[0].score == pytest.approx(paths[1].score, rel=1e-9)


def test_audio_is_normalized_over_the_whole_recording(aligner, folder, speech):
    """As `layer_norm(waveform)` does: neither loudness nor a constant changes anything."""
    speech = speech[: 10 * SAMPLE_RATE]
    (emission,) = aligner.emissions([speech])
    np.testing.assert_allclose(aligner.emissions([0.5 * speech + 0.05])[0], emission, atol=0.1)
    model = Wav2Vec2ForCTC.from_pretrained(folder).eval()
    waveform = torch.from_numpy(speech)[None]
    with torch.inference_mode():
        logits = model(torch.nn.functional.layer_norm(waveform, waveform.shape, eps=1e-7)).logits[0]
    expected = logits.log_softmax(-1)[:, vocabulary()["ក"]]
    np.testing.assert_allclose(emission[:, aligner.vocabulary.index("ក")], expected, atol=2e-3)


@pytest.mark.slow
def test_by_name_it_is_the_published_conversion_at_its_commit(hub, folder):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    store, publisher = hub.server.store, hub.server.store.users[hub.token]
    store.orgs.add("aadel4")
    publisher.orgs["aadel4"] = "write"
    store.create("model", "omniASR-CTC-300M-v2", "aadel4", False, publisher)
    hub.commit("model", NAME, files, "Convert")
    code = (
        "from khmer_aligned import aligners\n"
        "print(aligners.load('omniasr').name, aligners.licence('omniasr'))"
    )
    done = hub.run(code)
    assert done.returncode == 0, done.stderr
    assert f"{NAME}@{hub.commits('model', NAME)[0].id} Apache-2.0" in done.stdout
