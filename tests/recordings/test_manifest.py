"""Folders with metadata.csv, .tsv or .jsonl."""

import json

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.schema import Problem

from .sound import TEXT, read, write_sound


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("column", ["transcription", "sentence", "text"])
def test_manifests_of_all_kinds_hold_the_same(tmp_path, ending, column):
    write_sound(tmp_path / "clips" / "one.wav", seconds=4)
    rows = [
        {"file_name": "clips/one.wav", column: TEXT, "speaker": "sokha", "split": "dev",
         "start": "0.5", "end": "2"},
        {"file_name": "clips/one.wav", column: TEXT, "speaker": "", "split": "", "start": "",
         "end": ""},
    ]  # fmt: skip
    separator = "\t" if ending == "tsv" else ","
    if ending == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        lines = [separator.join(values) for values in [rows[0], *(r.values() for r in rows)]]
    (tmp_path / f"metadata.{ending}").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    first, second = read(tmp_path)
    assert (first.id, first.recording) == ("clips/one-0.500-2.000", "clips/one")
    assert (first.speaker, first.split) == ("sokha", "validation")
    assert (first.start, first.end, first.text) == (0.5, 2.0, TEXT)
    assert (second.id, second.speaker, second.split, second.start) == (
        "clips/one",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("file_name", "columns", "problem", "detail"),
    [
        ("../outside.wav", {}, Problem.OUTSIDE, "the name of the audio file leaves"),
        ("{tmp_path}/outside.wav", {}, Problem.OUTSIDE, "the name of the audio file leaves"),
        ("none.wav", {}, Problem.NO_AUDIO, "none.wav: no such audio file"),
        ("a\0.wav", {}, Problem.OUTSIDE, "leaves the folder"),
        ("a" * 5000, {}, Problem.BAD_ROW, "no file can have this name"),
        ("", {}, Problem.BAD_ROW, "no file name (column file_name or path)"),
        ("a.wav", {"start": 7, "end": 3}, Problem.BAD_ROW, "from 7.0 s to 3.0 s is empty"),
        ("a.wav", {"start": -1}, Problem.BAD_ROW, "the stretch from -1.0 s to None s is empty"),
        ("a.wav", {"start": "soon"}, Problem.BAD_ROW, "the start is no number of seconds"),
        ("a.wav", {"start": [1]}, Problem.BAD_ROW, "the start is no number of seconds"),
        ("a.wav", {"start": float("inf")}, Problem.BAD_ROW, "the start is no time"),
        ("a.wav", {"end": float("nan")}, Problem.BAD_ROW, "the end is no time"),
        ("a.wav", {"start": 10**400}, Problem.BAD_ROW, "the start is no number of seconds"),
        ("a.wav", {"split": "exam"}, Problem.BAD_ROW, "exam is none of train, validation, test"),
        ("a.wav", {"sentence": None}, Problem.NO_TRANSCRIPT, "no text (column transcription"),
        ("a.wav", {"sentence": ["ក"]}, Problem.BAD_ROW, "the text is a list"),
        ("a.wav", {"sentence": "ក\ud800"}, Problem.BAD_ROW, "the text holds half of a character"),
        ("a.wav", {"speaker": "\udfff"}, Problem.BAD_ROW, "the speaker holds half"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(tmp_path, file_name, columns, problem, detail):
    folder = tmp_path / "folder"
    write_sound(folder / "fine.wav")
    write_sound(folder / "a.wav", seconds=0.6)
    write_sound(tmp_path / "outside.wav")
    row = {"file_name": file_name.format(tmp_path=tmp_path), "sentence": TEXT} | columns
    fine = {"file_name": "fine.wav", "sentence": TEXT}
    lines = [json.dumps(each) for each in (row, fine)]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recording, neighbour = read(folder)[:2]
    assert recording.problem == problem
    assert detail in recording.detail
    assert str(tmp_path) not in recording.detail + recording.path
    assert recording.audio is None or recording.audio.parent == folder
    recording.text.encode()
    assert (neighbour.id, neighbour.problem) == ("fine", None)


def test_the_manifest_may_be_named_in_place_of_its_folder(tmp_path):
    write_sound(tmp_path / "a.wav")
    manifest = tmp_path / "metadata.csv"
    manifest.write_text(f"file_name,text\na.wav,{TEXT}\n", encoding="utf-8")
    assert sources.find(str(manifest)) == sources.find(str(tmp_path))


def test_a_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav"}\n{', encoding="utf-8")
    with pytest.raises(UserError, match=r"metadata\.jsonl: line 2 is not JSON"):
        read(tmp_path)


def write_table(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    "content",
    [
        f"file_name;text;speaker\na.wav;{TEXT};dara\n",
        f"\ufefffile_name,text,speaker\r\na.wav,{TEXT},dara\r\n",
        f'file_name,text,speaker\n"a.wav","{TEXT}","dara"\n',
        f"file_name\ttext\tspeaker\na.wav\t{TEXT}\tdara",
        f"\ufefffile_name,text,speaker\na.wav,{TEXT},dara\n".encode("utf-16-le"),
        f"file_name,text,speaker_id\na.wav,{TEXT},dara\n",
        f"path,sentence,client_id\na.wav,{TEXT},dara\n",
    ],
)
def test_csv_as_programs_write_it(tmp_path, content):
    write_sound(tmp_path / "a.wav")
    write_table(tmp_path, "metadata.csv", content)
    (recording,) = read(tmp_path)
    assert (recording.id, recording.text, recording.speaker) == ("a", TEXT, "dara")
    assert recording.problem is None


def test_an_absolute_name_inside_the_folder_is_a_relative_one(tmp_path):
    write_sound(tmp_path / "s1" / "001.wav")
    name = (tmp_path / "s1" / "001.wav").resolve()
    write_table(tmp_path, "metadata.csv", f"file_name,text\n{name},{TEXT}\n")
    (recording,) = read(tmp_path)
    assert (recording.id, recording.problem) == ("s1/001", None)
    assert recording.path == "s1/001.wav (metadata.csv line 2)"


def test_the_same_name_in_two_folders_is_two_recordings(tmp_path):
    write_sound(tmp_path / "s1" / "001.ogg")
    write_sound(tmp_path / "s2" / "001.ogg", seconds=0.7)
    rows = "".join(f"s{k}/001.ogg,{TEXT}\n" for k in (1, 2))
    write_table(tmp_path, "metadata.csv", "file_name,text\n" + rows)
    assert [(r.id, r.problem) for r in read(tmp_path)] == [("s1/001", None), ("s2/001", None)]


def test_train_and_test_with_a_table_of_their_own(tmp_path):
    for split, seconds in (("train", 0.5), ("test", 0.7)):
        write_sound(tmp_path / split / "a.wav", seconds)
        table = f"file_name,transcription\na.wav,{TEXT}\n"
        write_table(tmp_path / split, "metadata.csv", table)
    recordings = read(tmp_path)
    assert [(r.id, r.split, r.problem) for r in recordings] == [
        ("test/a", "test", None),
        ("train/a", "train", None),
    ]
    assert recordings[0].path == "test/a.wav (test/metadata.csv line 2)"


def test_a_quote_at_the_start_of_a_tsv_field_swallows_nothing(tmp_path):
    texts = {"a": f'"{TEXT}', "b": TEXT, "c": f'{TEXT}" គាត់និយាយ'}
    for index, name in enumerate(texts):
        write_sound(tmp_path / f"{name}.wav", seconds=0.5 + index / 10)
    rows = "".join(f"{name}.wav\t{text}\n" for name, text in texts.items())
    write_table(tmp_path, "metadata.tsv", "file_name\ttext\n" + rows)
    assert {r.id: r.text for r in read(tmp_path)} == texts


@pytest.mark.parametrize(
    "rows",
    [f'a.wav,"{TEXT}\nb.wav,{TEXT}\n', f'a.wav,"{TEXT}\nb.wav,"{TEXT}"\n'],
)
def test_an_unclosed_quote_in_csv_is_an_error(tmp_path, rows):
    write_table(tmp_path, "metadata.csv", f"file_name,text\nc.wav,{TEXT}\n" + rows)
    with pytest.raises(UserError, match=r"metadata\.csv: the row of line 3 has a quote"):
        read(tmp_path)


def test_a_quoted_field_may_hold_lines_and_quotes(tmp_path):
    write_sound(tmp_path / "a.wav")
    write_table(tmp_path, "metadata.csv", f'file_name,text\na.wav,"{TEXT}\n""{TEXT}"""\n')
    (recording,) = read(tmp_path)
    assert recording.text == f'{TEXT}\n"{TEXT}"'


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_lines_end_at_line_feeds_only(tmp_path, ending):
    write_sound(tmp_path / "a.wav")
    text = f"{TEXT}\u2028{TEXT}\u2029{TEXT}\x0c{TEXT}\x85{TEXT}"
    separator = {"csv": ",", "tsv": "\t"}.get(ending)
    if separator:
        content = f"file_name{separator}text\na.wav{separator}{text}\n"
    else:
        content = json.dumps({"file_name": "a.wav", "text": text}, ensure_ascii=False) + "\n"
    write_table(tmp_path, f"metadata.{ending}", content)
    (recording,) = read(tmp_path)
    assert (recording.text, recording.problem) == (text, None)


def test_a_text_cut_by_its_own_comma_is_no_text(tmp_path):
    write_sound(tmp_path / "a.wav")
    write_table(tmp_path, "metadata.csv", f"file_name,text\na.wav,{TEXT}, {TEXT}\n")
    (recording,) = read(tmp_path)
    assert recording.problem == Problem.BAD_ROW
    assert "more fields than the header" in recording.detail


def test_what_the_table_leaves_out_is_said(tmp_path, capsys):
    write_sound(tmp_path / "a.wav")
    write_sound(tmp_path / "deep" / "b.wav", seconds=0.7)
    write_sound(tmp_path / "._a.wav", seconds=0.8)
    write_table(tmp_path, "metadata.csv", f"file_name,text,gender,age\na.wav,{TEXT},f,30\n")
    _, unnamed = read(tmp_path)
    assert (unnamed.id, unnamed.problem) == ("deep/b", Problem.UNNAMED)
    assert "columns that are not used: age, gender" in capsys.readouterr().err


def test_a_link_out_of_the_folder_is_not_read(tmp_path):
    secret = tmp_path / "secret.wav"
    write_sound(secret)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.wav").symlink_to(secret)
    write_table(folder, "metadata.csv", f"file_name,text\na.wav,{TEXT}\n")
    named, *_ = read(folder)
    assert (named.problem, named.audio, named.content) == (Problem.OUTSIDE, None, None)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    write_table(tmp_path, "elsewhere.csv", f"file_name,text\na.wav,{TEXT}\n")
    with pytest.raises(UserError, match="a link that leaves the folder"):
        read(folder)


def test_a_text_in_a_file_of_its_own(tmp_path, capsys):
    for k, name in enumerate("abcd"):
        write_sound(tmp_path / f"{name}.wav", 0.5 + k / 10)
    (tmp_path / "texts").mkdir()
    for name in ("book", "alone"):
        (tmp_path / "texts" / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path.parent / "secret.txt").write_text(TEXT, encoding="utf-8")
    rows = "a.wav,texts/book.txt\nb.wav,texts/book.txt\nc.wav,texts/alone.txt\nd.wav,{}\n"
    book = tmp_path / "texts" / "book.txt"
    for name, problem in (("../secret.txt", Problem.OUTSIDE), ("no.txt", Problem.NO_TRANSCRIPT)):
        write_table(tmp_path, "metadata.csv", "file_name,text_file\n" + rows.format(name))
        a, b, c, d = read(tmp_path)
        assert (a.text, a.text_file, a.problem) == ("", book, None)
        assert (b.text_file, b.problem) == (book, None)
        assert (c.text, c.text_file, c.problem) == (TEXT, None, None)
        assert (d.text, d.text_file, d.problem) == ("", None, problem)
    said = "texts/book.txt: which passage each of 2 rows speaks is found in their audio"
    assert said in capsys.readouterr().err


def test_the_hash_of_a_folder_follows_the_texts_that_its_table_names(tmp_path):
    write_sound(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    write_table(tmp_path, "metadata.csv", "file_name,text_file\na.wav,a.txt\n")
    before = sources.find(str(tmp_path)).content
    (tmp_path / "a.txt").write_text(TEXT * 2, encoding="utf-8")
    assert sources.find(str(tmp_path)).content != before
