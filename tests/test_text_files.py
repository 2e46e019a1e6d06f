"""Text and JSON as strangers write them."""

import os

import pytest

from ddeal_core.errors import ConfigError, DatasetError, InputError
from ddeal_core.text_files import parse_json, parsing, read_json, read_text

ODD_JSON = {
    "lists": ("[" * 100_000, "nested too deeply"),
    "objects": ('{"a":' * 50_000, "nested too deeply"),
    "nan": ("[NaN]", "NaN is no number"),
    "infinity": ("[-Infinity]", "-Infinity is no number"),
    "overflow": ("[1, 1e999]", "1e999 is larger"),
    "long": ("[" + "9" * 400 + ".5]", "larger than any number"),
    "digits": ("9" * 5000, "thousands of digits"),
    "twice": ('{"clips": 1, "clips": 2}', "names 'clips' twice"),
    "empty": ("", "Expecting value"),
    "quotes": ("{'a': 1}", "property name"),
    "rest": ("[1] 2", "Extra data"),
}


@pytest.mark.parametrize(("text", "message"), ODD_JSON.values(), ids=ODD_JSON)
def test_odd_json_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        read_json(path, ConfigError)
    assert "\n" not in str(caught.value)
    assert "odd.json cannot be read as JSON" in str(caught.value)


def test_json_with_a_byte_order_mark_and_line_ends_of_windows(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('\ufeff{"é": [1, 2.5,\r\n null, 1e300]}\r\n'.encode())
    assert read_json(path) == {"é": [1, 2.5, None, 1e300]}
    assert parse_json('["e999"]') == ["e999"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"caf\xe9\n", "byte 3 is no text in UTF-8"),
        ("bear\n".encode("utf-16"), "no text in UTF-8"),
        ("bear\n".encode("utf-16-le"), "NUL bytes"),
        (b"bear\0\n", "NUL bytes"),
        (b"bear\n" * 300, "where 0 MB are the most"),
    ],
    ids=["latin", "utf-16", "utf-16 without mark", "nul", "large"],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "val.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_text(path, DatasetError, most_bytes=1000)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"[Ii]s a directory|Permission denied"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="no file can have this name"):
        read_text(tmp_path / "a\0b")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer forever
        with pytest.raises(InputError, match="no regular file"):
            read_text(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("stumble", "message"),
    [
        (lambda: {}["videos"], "a.json cannot be read as a list: it lacks 'videos'"),
        (lambda: [].keys(), "of another kind"),
        (lambda: 1 + "1", "of another kind"),
        (lambda: int("x\ny"), "invalid literal"),
        (lambda: int(1e300 * 1e300), "infinity"),
    ],
    ids=["key", "attribute", "type", "value", "overflow"],
)
def test_whatever_code_stumbles_over_becomes_one_line(tmp_path, stumble, message):
    with (
        pytest.raises(DatasetError, match=message) as caught,
        parsing(tmp_path / "a.json", "a list", DatasetError),
    ):
        stumble()
    assert "\n" not in str(caught.value)
