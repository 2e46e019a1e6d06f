import pytest

from ddeal_core.json_files import read_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("9" * 5000, "thousands of digits"),
        ("", "Expecting value"),
        ("{'a': 1}", "property name"),
    ],
    ids=["lists", "objects", "nan", "infinity", "digits", "empty", "quotes"],
)
def test_odd_json_is_a_value_error(tmp_path, text, message):
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_encodings(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('\ufeff{"é": [1, 2.5, null]}'.encode())
    assert read_json(path) == {"é": [1, 2.5, None]}
    path.write_bytes(b'{"\xff": 1}')
    with pytest.raises(ValueError, match="UTF-8"):
        read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")
