"""The speakers that decide the splits: the source's, else those that a dialogue names."""

import datasets
import pyarrow as pa

from khmer_aligned.dataset.rows import list_speakers
from khmer_aligned.dataset.split import find_groups
from khmer_aligned.schema import RECORDING_FEATURES

DIALOGUE = "{0}៖ ខ្ញុំទៅផ្សារ។\n{1}៖ ទៅធ្វើអ្វី?\n{0}៖ ទិញត្រី។\n{1}៖ ល្អ។\n"


def group_of(rows):
    """The group of each recording; a row is a name, a speaker and a text."""
    empty = dict.fromkeys(RECORDING_FEATURES) | {"audio": {"bytes": None, "path": None}}
    recordings = [
        empty | {"recording": name, "speaker": speaker, "text": text}
        for name, speaker, text in rows
    ]
    dataset = datasets.Dataset.from_list(recordings, features=RECORDING_FEATURES)
    speakers = pa.array(list_speakers(dataset), pa.list_(pa.string()))
    names, contents = (dataset.data.column(name) for name in ("recording", "content"))
    groups = find_groups(names, speakers, contents)
    return {
        name: groups.names[code].as_py()
        for name, code in zip(names.to_pylist(), groups.code, strict=True)
    }


def test_a_recording_with_two_speakers_joins_both():
    groups = group_of(
        [
            ("talk", None, DIALOGUE.format("សុខា", "ដារ៉ា")),
            ("later", None, DIALOGUE.format("ដារ៉ា", "បុប្ផា")),
            ("by the table", "បុប្ផា", "ខ្ញុំទៅផ្សារ។"),
            ("alone", None, "ខ្ញុំទៅផ្សារ។ សម្គាល់៖ ក។"),
            ("other", "វណ្ណា", DIALOGUE.format("សុខា", "ដារ៉ា")),
        ]
    )
    assert groups["talk"] == groups["later"] == groups["by the table"]
    # Who the source names speaks, whatever names are in the text.
    assert len({groups["talk"], groups["alone"], groups["other"]}) == 3
