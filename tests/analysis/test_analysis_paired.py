"""Differences by hand, what is said of what cannot be compared, and the commands as a user calls them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_store import answer, fill, forget_credits
from scipy.stats import t as student
from simulated import credits_of

from analysis import compare as compare_command
from analysis import effects, power, stability
from analysis.designs import Design, designs_of, field_of
from analysis.errors import AnalysisError
from analysis.paired import compare, holm
from analysis.results import ROOT
from analysis.variance import Variance, spread_of, variance_of

CATEGORIES = {"general": "facts", "knowledge": "sums", "ocr_chart": "text", "vision_centric": "depth"}


def study(store: Path, seeds: int = 1) -> None:
    """Two encoders on four benchmarks of 40 questions; siglip is right wherever dinov2 is, and in 12 more."""
    for seed in range(seeds):
        for category, benchmark in CATEGORIES.items():
            for encoder, right in (("siglip", 26 + seed), ("dinov2", 14 + seed)):
                credits = [1.0] * right + [0.0] * (40 - right)
                answer(store, (encoder,), benchmark, credits, category=category, axes={"seed": seed})


def test_a_difference_by_hand() -> None:
    rows = np.zeros((2, 300))
    rows[0, :30] = 1
    rows[1, 20:40] = 1
    one = compare([credits_of("plain", rows)], ["run00"], ["run01"]).differences[0]
    # 20 questions for the first, 10 for the second; one more question on which they differ.
    variance = (30 - 300 * (10 / 300) ** 2) * 300 / 299 + (1 - 30 / 300)
    assert one.difference == pytest.approx(100 * 10 / 300)
    assert one.error == pytest.approx(100 / 300 * variance**0.5)
    assert one.high - one.difference == pytest.approx(student.ppf(0.975, 299) * one.error)
    assert one.p == pytest.approx(2 * student.sf(10 / variance**0.5, 299))


def test_equal_answers_are_not_wholly_sure() -> None:
    rows = np.tile(np.arange(300) < 150, (2, 1)).astype(float)
    one = compare([credits_of("plain", rows)], ["run00"], ["run01"]).differences[0]
    assert (one.difference, one.p) == (0.0, 1.0)
    assert one.high == pytest.approx(100 / 300 * student.ppf(0.975, 299))


def test_questions_of_one_picture_are_one_draw() -> None:
    generator = np.random.default_rng(0)
    pictures = generator.random((2, 40)) < 0.5
    rows = np.repeat(pictures, 8, axis=1).astype(float)
    together = variance_of([(1.0, spread_of(credits_of("clustered", rows)))], [0], [1])
    alone = variance_of([(1.0, spread_of(credits_of("plain", rows[:, :300])))], [0], [1])
    assert 6 < together.questions / alone.questions < 10
    assert (together.questions_freedom, alone.questions_freedom) == (39, 299)


def test_seeds_and_questions_are_told_apart() -> None:
    generator = np.random.default_rng(0)
    base = generator.random(300) < 0.5
    # The seeds of a design agree on every question but 60, which one of them has right and the other wrong.
    rows = np.array([base | (np.arange(300) < 60 * seed) for seed in (0, 1, 0, 1)], dtype=float)
    variance = variance_of([(1.0, spread_of(credits_of("plain", rows)))], [0, 1], [2, 3])
    scores = 100 * rows.mean(axis=1)
    assert variance.seeds == pytest.approx(np.var(scores[:2], ddof=1))
    assert variance.seeds_freedom == 2
    assert variance.training is not None
    assert 0 < variance.training < variance.seeds


def test_the_p_value_is_that_of_the_interval() -> None:
    for seeds in (0.0, 0.1, 10.0):
        variance = Variance(questions=1.0, questions_freedom=50, seeds=seeds, seeds_freedom=4 if seeds else 0)
        edge = variance.quantile() * variance.error
        assert variance.p_value(edge) == pytest.approx(0.05)
        assert variance.p_value(0.0) == pytest.approx(1.0)
        assert 0 < variance.p_value(1e9) < 1e-9


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_other_questions_are_not_compared() -> None:
    same = credits_of("plain", np.eye(2, 300), "same")
    apart = [credits_of("MMVP", np.ones((1, 150)), "apart"), credits_of("MMVP", np.ones((2, 150)), "new")]
    found = compare([same, apart[0]], ["run00"], ["run01"])
    assert [one.name for one in found.differences] == ["same"]
    assert found.notes == (
        "apart: not all of these models answered the same questions, so it is not compared",
    )
    with pytest.raises(AnalysisError, match="no benchmark that both designs answered\napart"):
        compare([apart[0]], ["run00"], ["run01"])
    with pytest.raises(AnalysisError, match="the same model on both sides: run00"):
        compare([same], ["run00"], ["run00"])


def test_ranks_are_as_sure_as_the_questions() -> None:
    rows = np.zeros((3, 300))
    rows[0, :200] = rows[1, :199] = rows[2, :20] = 1
    designs = [Design(label=name, runs=(f"run0{number}",)) for number, name in enumerate("abc")]
    found = stability.orders(field_of([credits_of("plain", rows)], designs))
    assert [order.target.level for order in found] == ["benchmark", "category"]
    best, second, last = found[0].standings
    assert [one.index for one in (best, second, last)] == [0, 1, 2]
    assert best.first + second.first == pytest.approx(1)
    # The one question that a has and b has not is drawn at least once in 63 % of draws; else they share.
    assert best.first == pytest.approx(0.632 + 0.368 / 2, abs=0.03)
    assert (last.first, last.rank_low, last.rank_high) == (0.0, 3.0, 3.0)
    assert second.behind == pytest.approx(100 / 300)
    assert not second.is_distinguishable and last.is_distinguishable
    again = stability.orders(field_of([credits_of("plain", rows)], designs))
    assert [order.standings for order in again] == [order.standings for order in found]


def test_the_noise_floor_is_half_an_interval() -> None:
    generator = np.random.default_rng(1)
    credits = credits_of("plain", (generator.random((2, 300)) < 0.5).astype(float))
    frame = pd.DataFrame({"run": credits.runs, "seed": 0, "encoder": ["siglip", "dinov2"]})
    for axis in ("connector", "adapter", "vision", "instruct", "llm"):
        frame[axis] = "same"
    floor = power.noise_floor([credits], designs_of(frame)).set_index("name")
    one = compare([credits], ["run00"], ["run01"]).differences[0]
    assert floor.loc["made_up", "noise_floor"] == pytest.approx(one.high - one.difference, rel=0.01)


def test_effects_of_an_unbalanced_grid() -> None:
    rows = []
    grid = [("a", "frozen", 0), ("a", "unfrozen", 5), ("b", "frozen", 10), ("b", "unfrozen", 15)]
    for number, (encoder, vision, worth) in enumerate(2 * [*grid, ("c", "frozen", -3)]):
        for place, benchmark in enumerate("wxyz"):
            noise = 0.1 * ((number * 7 + place * 3) % 5)
            rows.append(
                {"run": f"r{number}", "seed": number // 5, "encoder": encoder, "vision": vision,
                 "connector": "sva" if encoder == "c" else "concat", "adapter": "0M", "instruct": "737k",
                 "llm": "tiny", "benchmark": benchmark, "category": "general", "score": 50 + worth + noise}
            )  # fmt: skip
    found = effects.effects_of(pd.DataFrame(rows))
    points = {one.effect: one for one in found.effects if one.score == "general"}
    assert points["encoder=b"].points == pytest.approx(10, abs=0.3)
    assert points["vision=unfrozen"].points == pytest.approx(5, abs=0.3)
    assert points["vision=unfrozen"].low > 4
    assert abs(points["encoder=b & vision=unfrozen"].points) < 0.5
    # c is the only one with sva, and the other way round.
    assert "encoder=c" not in points
    assert any(
        note.startswith("encoder=c is not estimated: these runs do not tell it from") for note in found.notes
    )
    assert "encoder=c & vision=unfrozen is not estimated: no run has it" in found.notes
    assert any("from seeds of 5 designs" in note for note in found.notes)


def grid_of(scores: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Scores of (run, benchmark), of which the run's first letter is its encoder."""
    axes = {"connector": "concat", "adapter": "0M", "vision": "frozen", "instruct": "737k", "llm": "tiny"}
    return pd.DataFrame(
        [
            {"run": run, "seed": int(run[1]), "encoder": run[0], **axes, "benchmark": name, "score": score}
            | {"category": "general" if name == "x" else "knowledge"}
            for (run, name), score in scores.items()
        ]
    )


def test_equal_scores_have_no_effect_and_no_certain_one() -> None:
    """Such as a benchmark that all models solve; a p-value is then 1."""
    runs = ("a0", "a1", "b0", "b1")
    found = effects.effects_of(grid_of({(run, name): 0.0 for run in runs for name in "xy"}))
    assert [(one.points, one.p) for one in found.effects] == [(0.0, pytest.approx(1.0))] * 3
    assert all(one.low < 0 < one.high for one in found.effects)


def test_effects_of_runs_that_all_lack_something() -> None:
    with pytest.raises(AnalysisError, match="no run has all benchmarks") as caught:
        effects.effects_of(grid_of({("a0", "x"): 50.0, ("b0", "y"): 50.0}))
    assert "2 of 2 runs are left out" in str(caught.value)


def test_effects_of_the_published_table() -> None:
    found = effects.effects_of(effects.published_frame())
    average = {one.effect: one for one in found.effects if one.score == "average"}
    assert average["adapter=0M"].high < 0
    assert (average["adapter=0M"].runs, average["adapter=0M"].benchmarks) == (76, 16)
    assert any("no design has two seeds" in note for note in found.notes)


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (compare_command.main, ["encoder=siglip", "encoder=dinov2"], "average         65.0  35.0  +30.0"),
        (stability.main, [], "siglip   65.0   1     100 %     1 to 1"),
        (power.main, ["--difference", "1"], "not resolvable, need n >="),
    ],
    ids=["compare", "stability", "power"],
)
def test_commands(tmp_path: Path, main, arguments: list[str], said: str, capsys) -> None:
    study(tmp_path)
    table = tmp_path / "table.csv"
    assert main([*arguments, "--store", str(tmp_path), "--csv", str(table)]) == 0
    out = capsys.readouterr().out
    assert said in out
    first = table.read_bytes()
    assert main([*arguments, "--store", str(tmp_path), "--csv", str(table)]) == 0
    assert table.read_bytes() == first


def test_one_seed_and_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study(tmp_path / "one")
    study(tmp_path / "two", seeds=2)
    both = ["encoder=siglip", "encoder=dinov2", "--store"]
    assert compare_command.main([*both, str(tmp_path / "one")]) == 0
    assert "one seed each, so how training varies is unknown" in capsys.readouterr().out
    assert compare_command.main([*both, str(tmp_path / "two")]) == 0
    out = capsys.readouterr().out
    assert "(2 seeds)" in out
    assert "one seed each" not in out
    assert effects.main(["--store", str(tmp_path / "two")]) == 0
    assert "encoder=dinov2  encoder=siglip  " not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (["encoder=siglip", "encoder=dino"], "did you mean 'dinov2'"),
        (["encoder", "encoder=dinov2"], "a choice is AXIS=VALUE, such as connector=sva; got 'encoder'"),
        (
            ["scale=lab", "encoder=dinov2"],
            "'scale=lab' is several designs, which differ in encoder: dinov2, sig",
        ),
    ],
)
def test_what_is_no_design(
    tmp_path: Path, choices: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study(tmp_path)
    assert compare_command.main([*choices, "--store", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_store_without_credits_says_how_to_make_them(tmp_path: Path) -> None:
    """The first ten evaluations by name, and one command for all sixteen."""
    fill(tmp_path, ("siglip",))
    fill(tmp_path, ("clip",))
    forget_credits(tmp_path)
    command = [sys.executable, "-m", "analysis.power", "--store", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no evaluation has the credits of its questions" in done.stderr
    lines = done.stderr.splitlines()
    assert sum(": no units.arrow" in line for line in lines) == 10
    assert lines[11:] == [
        "  - and 6 more",
        "  make them again (a directory with a damaged file counts as made: remove it first):",
        "    python run.py -m encoder=clip,siglip connector=concat adapter=1.2M vision=frozen instruct=737k",
    ]


def test_statistics_need_no_model_library() -> None:
    program = (
        "import sys, analysis.compare, analysis.effects, analysis.stability, analysis.power;"
        "print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
