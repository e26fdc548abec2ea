"""Rows by number: the same as reading the whole file, whatever its form; faults with their line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.data import rows as rows_module
from cambrian.data.rows import RowError, index_rows
from cambrian.errors import DataError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)


@given(
    st.lists(objects, min_size=1, max_size=12),
    st.sampled_from(["array", "indented", "lines", "dos", "gaps"]),
    st.booleans(),
    st.booleans(),
    st.integers(8, 200),
)
def test_rows_are_what_the_file_holds(
    tmp_path_factory: pytest.TempPathFactory,
    content: list[dict],
    form: str,
    ascii_only: bool,
    bom: bool,
    window: int,
) -> None:
    def dump(value: object, **more: int) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, **more)

    path = tmp_path_factory.getbasetemp() / "rows.json"
    text = {
        "array": dump(content),
        "indented": "\n" + dump(content, indent=2) + "\n\n",
        "lines": "\n".join(map(dump, content)),
        "dos": "".join(f"{dump(row)}\r\n" for row in content),
        "gaps": "\n\n".join(map(dump, content)) + "\n \n",
    }[form]
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode("utf-8", "surrogatepass"))
    before, rows_module.WINDOW_BYTES = rows_module.WINDOW_BYTES, window
    try:
        found = index_rows(path)
    finally:
        rows_module.WINDOW_BYTES = before
    assert [found[number] for number in range(len(found))] == content


def test_a_row_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"a": 2\n{"a": "\xff"}\n{"a": 4')
    found = pickle.loads(pickle.dumps(index_rows(path)))
    assert len(found) == 4
    assert found[0] == {"a": 1}
    for number, message in [(1, "line 3: not JSON"), (2, "line 4: not UTF-8"), (3, "line 5: not JSON")]:
        with pytest.raises(RowError, match=f"rows.jsonl, {message}"):
            found[number]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "has no row"),
        (b"[]", "has no row"),
        (b'[{"a": 1},\n{"a": 2}', r"line 2: the array does not end \(in element 2"),
        (b'[{"a": 1}\n{"a": 2}]', r"line 2: ',' or '\]' expected"),
        (b'[{"a": 1},\n{"a": }]', r"line 2: Expecting value"),
    ],
)
def test_a_broken_file_is_refused_with_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        index_rows(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.json is not there"):
        index_rows(tmp_path / "nowhere.json")


def test_rows_nested_too_deeply_are_no_crash(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    lines = tmp_path / "data.jsonl"
    lines.write_text(f'{{"id": 1}}\n{{"id": {deep}}}')
    rows = index_rows(lines)
    with pytest.raises(RowError, match="line 2: not JSON: nested too deeply"):
        rows[1]
    array = tmp_path / "data.json"
    array.write_text(f"[{{}}, {deep}]")
    with pytest.raises(DataError, match="element 2 of the array is nested too deeply"):
        index_rows(array)
    array.write_text(f"[{{}}, {'9' * 5000}]")
    with pytest.raises(DataError, match="element 2 of the array has Exceeds the limit"):
        index_rows(array)


def test_a_line_of_one_character_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{\n\n1\r\n \n\r\n{"id": 1}\n7')
    rows = index_rows(path)
    assert [rows.read(number).strip() for number in range(len(rows))] == [b"{", b"1", b'{"id": 1}', b"7"]
    with pytest.raises(RowError, match="line 1: not JSON"):
        rows[0]
