"""Tables of the paper: published numbers as they are printed, own results, and what stands out."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_store import LAB, credits_of, manifest, put, write_credits

from analysis.answers import Answers
from analysis.published import PAPER
from analysis.statistics import Estimate
from analysis.tabulation import Row, Table, latex, standing_out, to_latex, to_markdown, to_text
from analysis.units import Credits

TABLES = ("ensembles", "connectors", "token_reduction", "sva_ablation", "data", "sota", "leakage")


def show(name: str, out: Path, *words: str) -> int:
    module = importlib.import_module(f"analysis.table_{name}")
    return module.main([*words, "--out", str(out)])


def numbers(out: Path, name: str) -> dict[tuple[str, str], float]:
    """Score by row and column, of a table that was written."""
    table = pd.read_csv(out / f"table_{name}.csv")
    labels = table[table.columns[1]]
    return dict(zip(zip(labels, table["column"], strict=True), table["score"], strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_published_numbers_and_the_same_bytes_again(name: str, tmp_path: Path) -> None:
    for out in (tmp_path / "one", tmp_path / "two"):
        assert show(name, out, "--published") == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [f"table_{name}.{kind}" for kind in ("csv", "md", "tex")]
    for file in files:
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert b"\\textbf" not in content, "a published number has no interval that makes it the best"
        assert b"**" not in content.partition(b"\n")[2]


def test_averages_agree_with_those_that_the_paper_prints(tmp_path: Path) -> None:
    for name, file, label in (
        ("ensembles", "ensemble_scores.csv", "encoders"),
        ("data", "data_balance_scores.csv", "threshold"),
        ("data", "data_ratio_scores.csv", "experiment"),
    ):
        show(name, tmp_path, "--published")
        shown = numbers(tmp_path, name)
        start = {"threshold": "balance_", "experiment": "ratio_"}.get(label, "")
        for row in pd.read_csv(PAPER / file).to_dict(orient="records"):
            assert shown[f"{start}{row[label]}", "average"] == pytest.approx(row["average_printed"], abs=0.06)


def test_category_means_of_the_last_table_agree_with_those_that_it_prints(tmp_path: Path) -> None:
    show("sota", tmp_path, "--published")
    shown = {label.partition(" (")[0]: {} for label, _ in numbers(tmp_path, "sota")}
    for (label, column), value in numbers(tmp_path, "sota").items():
        shown[label.partition(" (")[0]][column] = value
    compared = 0
    for row in pd.read_csv(PAPER / "sota_scores.csv").to_dict(orient="records"):
        for category in ("general", "knowledge", "ocr_chart", "vision_centric"):
            if pd.notna(row[f"avg_{category}"]):
                assert shown[row["model"]][category] == pytest.approx(row[f"avg_{category}"], abs=0.11)
                compared += 1
            else:
                assert pd.isna(shown[row["model"]][category])
    assert compared == 40


def test_published_connectors_as_printed(tmp_path: Path) -> None:
    show("connectors", tmp_path, "--published")
    shown = numbers(tmp_path, "connectors")
    assert shown["concat", "general"] == 67.2
    assert shown["sva (D=3 G=1 stride 3)", "ocr_chart"] == 55.5
    assert shown["concat", "average"] == pytest.approx((67.2 + 48.9 + 50.1 + 52.6) / 4)
    show("token_reduction", tmp_path, "--published")
    assert numbers(tmp_path, "token_reduction")["sva", "vision_centric"] == 46.9
    show("sva_ablation", tmp_path, "--published")
    assert set(numbers(tmp_path, "sva_ablation")) == {
        (label, "ocr_chart") for label in ("D=2", "D=3", "D=4", "G=1", "G=2", "G=3", "no", "yes")
    }, "columns that no row has are left away"


def test_published_leaks_are_counts_and_shares(tmp_path: Path) -> None:
    show("leakage", tmp_path, "--published")
    shown = numbers(tmp_path, "leakage")
    assert shown["MME-P", "cambrian10m"] == 332
    assert shown["MME-P", "cambrian10m_share"] == pytest.approx(100 * 332 / 2374)
    assert "| 332 | 14.0 |" in (tmp_path / "table_leakage.md").read_text()


def doctor(data: str, against: str | None, wanted: list[str]) -> dict[str, Any]:
    images = [{"image": f"{index}.jpg", "wanted": name, "bits": 1} for index, name in enumerate(wanted)]
    return {"data": data, "overlap": {"with": against, "images": images}}


def test_own_leaks_come_from_the_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    images = ["1.jpg", "1.jpg", "2.jpg"]
    files[0].write_text(json.dumps(doctor("d/mine.jsonl", "d/benchmarks/mmvp", images)))
    files[1].write_text(json.dumps(doctor("d/mine.jsonl", "d/benchmarks/gqa", [])))
    assert show("leakage", tmp_path, "--doctor", *map(str, files)) == 0
    assert numbers(tmp_path, "leakage") == {("MMVP", "mine.jsonl"): 2, ("GQA", "mine.jsonl"): 0}
    files[0].write_text(json.dumps(doctor("d/mine.jsonl", None, [])))
    files[1].write_text("[")
    capsys.readouterr()
    assert show("leakage", tmp_path, "--doctor", *map(str, files)) == 2
    said = capsys.readouterr().err
    assert "one.json: ValueError: it compares with no test set" in said
    assert "two.json" in said


def fill(
    store: Path,
    scores: dict[str, float],
    *,
    encoders: tuple[str, ...] = ("siglip", "dinov2"),
    half: float = 1.0,
    connectors: dict[str, dict[str, Any]] | None = None,
) -> None:
    """Lab results, one run per connector with all benchmarks at its score, intervals `half` to each side.

    Two runs with whole scores are right about the same questions, as far as both are right.
    """
    for connector, score in scores.items():
        for benchmark, category in LAB.items():
            metrics = {"score": score, "low": score - half, "high": score + half}
            one = manifest(
                encoder=encoders,
                benchmark=benchmark,
                category=category,
                axes={"connector": connector.partition(" ")[0]},
                metrics=metrics,
                model=connector.replace(" ", "-"),
            )
            place = put(store, one)
            right = np.roll(credits_of(score), 0 if score % 1 else 40)
            write_credits(place, right, credits_of(30.0), full=100.0)
        folder = store / "tune" / connector.replace(" ", "-")
        folder.mkdir(parents=True)
        settings = (connectors or {}).get(connector, {"side": 4})
        (folder / "manifest.json").write_text(json.dumps({"recipe": {"connector": settings}}))


def test_own_connectors_stand_by_encoders_and_what_is_surely_best_is_bold(tmp_path: Path) -> None:
    sva = {"side": 4, "depth": 2, "groups": [4], "aggregation": {"layers": 2, "start": 0, "stride": 2}}
    fill(tmp_path, {"concat": 60.0, "sva": 70.0}, connectors={"sva": sva})
    assert show("connectors", tmp_path / "out", "--store", str(tmp_path)) == 0
    text = (tmp_path / "out" / "table_connectors.md").read_text()
    assert "| sva (16 tokens, D=2, G=1, 2 layers in the LLM) | **70.0 [69.3, 70.7]**" in text
    assert "| concat (16 tokens) | 60.0 [59.3, 60.7]" in text
    assert "*siglip+dinov2 1.2M frozen 737k tiny*" in text
    assert text.startswith("**Connectors: lab result: not comparable with the paper's numbers.**")


def test_what_is_not_surely_best_is_not_bold(tmp_path: Path) -> None:
    fill(tmp_path, {"concat": 60.0, "sva": 60.5})
    assert show("connectors", tmp_path / "out", "--store", str(tmp_path)) == 0
    assert "**" not in (tmp_path / "out" / "table_connectors.md").read_text().partition("\n")[2]


def test_tables_share_out_reduced_and_whole_numbers_of_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, {"concat": 60.0}, connectors={"concat": {"side": 1}})
    assert show("connectors", tmp_path / "out", "--store", str(tmp_path)) == 2
    assert "no result has all visual tokens" in capsys.readouterr().err
    assert show("token_reduction", tmp_path / "out", "--store", str(tmp_path)) == 0
    assert ("concat (1 tokens)", "general") in numbers(tmp_path / "out", "token_reduction")
    assert show("sva_ablation", tmp_path / "out", "--store", str(tmp_path)) == 2
    assert "python run.py -m sweep=table_sva_ablation" in capsys.readouterr().err


def test_own_rows_of_the_sva_ablation_say_what_was_built(tmp_path: Path) -> None:
    settings = {
        "sva_no_multi_agg one": {"side": 4, "depth": 1, "groups": [4]},
        "sva_no_multi_agg two": {"side": 4, "depth": 2, "groups": [4, 4]},
    }
    fill(tmp_path, dict.fromkeys(settings, 50.0), connectors=settings)
    assert show("sva_ablation", tmp_path / "out", "--store", str(tmp_path)) == 0
    rows = {label for label, _ in numbers(tmp_path / "out", "sva_ablation")}
    assert rows == {"D=1, G=1", "D=2, G=2"}


def test_own_ensembles_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "many", {"concat": 60.0})
    assert show("ensembles", tmp_path / "out", "--store", str(tmp_path / "many")) == 0
    assert numbers(tmp_path / "out", "ensembles")["siglip+dinov2", "charts"] == 60
    fill(tmp_path / "one", {"concat": 60.0}, encoders=("siglip",))
    assert show("ensembles", tmp_path / "out", "--store", str(tmp_path / "one")) == 2
    assert "no result is of several encoders" in capsys.readouterr().err
    assert show("data", tmp_path / "out", "--store", str(tmp_path / "one")) == 0
    assert show("sota", tmp_path / "out", "--store", str(tmp_path / "one")) == 0


@pytest.mark.parametrize("name", [name for name in TABLES if name != "leakage"])
def test_an_empty_store_says_what_fills_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(name, tmp_path / "out", "--store", str(tmp_path)) == 2
    said = capsys.readouterr().err
    assert "python run.py -m" in said
    assert f"python analysis/table_{name}.py --published" in said
    assert not (tmp_path / "out").exists()


def test_a_model_whose_connector_is_not_known_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, {"concat": 60.0})
    (tmp_path / "tune" / "concat" / "manifest.json").unlink()
    assert show("connectors", tmp_path / "out", "--store", str(tmp_path)) == 2
    assert "tune/concat/manifest.json: FileNotFoundError" in capsys.readouterr().err


def table(*rows: Row) -> Table:
    return Table(title="T", subtitle="s", head="model", columns={"x": "X_1", "y": "Y"}, rows=rows)


def test_best_is_told_within_groups_by_answers_to_the_same_questions() -> None:
    """Of 100 questions b has those right that a has, and 4 or 9 more; c has as many as b, mostly others."""
    right = {
        "x": {"a": range(50), "b": range(54), "c": range(46, 100)},
        "y": {"a": range(50), "b": range(59), "c": range(41, 100)},
    }
    credits = [
        Credits(
            benchmark=name,
            category="general",
            runs=tuple(rows),
            units=np.arange(100).astype(str).astype(object),
            clusters=np.arange(100),
            parts=np.array([""] * 100, dtype=object),
            points=np.ones(100),
            sighted=np.array([np.isin(np.arange(100), list(row)) for row in rows.values()], dtype=np.float32),
            blind=np.zeros((3, 100), dtype=np.float32),
        )
        for name, rows in right.items()
    ]
    asked = dict.fromkeys("abc", frozenset(right))
    answers = Answers(asked=asked, groups={}, read=lambda: credits)

    def row(label: str, group: str, runs: tuple[str, ...]) -> Row:
        scores = {name: Estimate(score=float(len(rows[label]))) for name, rows in right.items()}
        return Row(label=label, group=group, scores=scores, runs=runs)

    rows = [row(label, group, (label,)) for group, pair in (("near", "ab"), ("far", "ac")) for label in pair]
    published = [row(label, "published", ()) for label in "ab"]
    found = Table(
        title="", subtitle="", head="", columns={"x": "", "y": ""}, rows=(*rows, *published), answers=answers
    )
    # 4 questions that b alone has right could be chance, 9 hardly; 59 against 50 of mostly others could.
    assert standing_out(found) == {(1, "y")}


def test_names_are_escaped_where_they_mean_something() -> None:
    shown = table(Row(label="50%_&|*", scores={"x": Estimate(score=1)}, partial=frozenset({"x"})))
    assert r"50\%\_\&|* (partial) & 1.0 & -- \\" in to_latex(shown)
    assert r"X\_1" in to_latex(shown)
    assert r"| 50%_&\|\* (partial) | 1.0 | - |" in to_markdown(shown)
    assert to_text(shown).splitlines()[-1].split() == ["50%_&|*", "(partial)", "1.0", "-"]
    assert latex("\\~^{}") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\{\}"
