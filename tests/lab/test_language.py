"""The lab's tiny LLM: what it reads, how it is trained, and that it can do every task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import cambrian.lab
from cambrian.data.tokenization import IGNORED
from cambrian.errors import UserError
from cambrian.lab.language import LanguageTask, make_language, train
from cambrian.lab.questions import SOLVED, TASKS
from cambrian.lab.symbolic import (
    SPECIAL_TOKENS,
    make_chat,
    make_tokenizer,
    symbol_ids,
    symbolic_accuracy,
    visual_tokens,
)
from cambrian.lab.vocabulary import VOCABULARY
from cambrian.lab.world import WORLD_VERSION, Bar, Scene
from cambrian.model.language import load_language
from cambrian.training import Conditions

RECIPE: dict[str, Any] = {
    "architecture": {
        "hidden": 32,
        "intermediate": 48,
        "layers": 2,
        "heads": 2,
        "positions": 128,
        "initial_deviation": 0.05,
    },
    "mixture": {
        "lookups": {"steps": 2, "tasks": ["attribute", "location"], "turns": 2},
        "captions": 0.25,
        "blind": 0.1,
        "turns": {"objects": 4, "sign": 2, "chart": 2},
    },
    "optimization": {
        "batch_size": 24,
        "betas": [0.9, 0.98],
        "clip": 1.0,
        "lr": 0.002,
        "steps": 3,
        "warmup_fraction": 0.04,
        "weight_decay": 0.02,
    },
    "seed": 0,
    "world": {"version": WORLD_VERSION, "seed": 7},
}
CHART = Scene(kind="chart", bars=(Bar(colour="red", value=3), Bar(colour="blue", value=8)))


def run(recipe: dict[str, Any], directory: Path) -> dict[str, float]:
    payload = directory / "payload"
    payload.mkdir(parents=True)
    return train(recipe, payload, Conditions(workdir=directory / "work"))


def task() -> LanguageTask:
    return LanguageTask(make_language(RECIPE["architecture"], 0), RECIPE, "cpu")


def test_each_word_is_one_token():
    tokenizer = make_tokenizer()
    text = "<s> <image> <user> what colour is the star <assistant> red </s>"
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    assert tokenizer.get_vocab_size() == len(SPECIAL_TOKENS) + len(VOCABULARY)
    assert tokenizer.encode("zebra").tokens == ["<unk>"]


def test_a_visual_token_is_the_sum_of_its_words_and_its_place():
    language = make_language(RECIPE["architecture"], 0)
    tokens = visual_tokens(language, symbol_ids([CHART], language.tokenizer))
    assert language.grid_positions is not None
    words = language.llm.get_input_embeddings().weight
    rows, columns = language.grid_positions.rows.weight, language.grid_positions.columns.weight
    ids = [language.tokenizer.token_to_id(word) for word in ("bar", "red", "three")]
    assert tokens.shape == (1, 4, 4, 32)
    torch.testing.assert_close(tokens[0, 2, 0], words[ids].sum(0) + rows[2] + columns[0])
    torch.testing.assert_close(tokens[0, 0, 3], rows[0] + columns[3])


def test_batches_depend_on_the_step_alone():
    assert task().batch(5) == task().batch(5)
    assert task().batch(5) != task().batch(6)


def test_a_batch_mixes_captions_questions_and_text_alone():
    batches = [task().batch(step) for step in range(2, 22)]
    examples = [example for batch in batches for example in batch.examples]
    scenes = [scene for batch in batches for scene in batch.scenes]
    user = make_tokenizer().token_to_id("<user>")
    captions = sum(user not in example.input_ids for example in examples) / len(examples)
    blind = scenes.count(None) / len(scenes)
    assert 0.2 < captions < 0.3
    assert 0.06 < blind < 0.14
    assert [not any(example.placeholder) for example in examples] == [scene is None for scene in scenes]


def test_training_begins_with_lookups():
    batch = task().batch(0)
    assert {scene.kind for scene in batch.scenes if scene is not None} == {"objects"}
    assert None not in batch.scenes
    starts = {make_tokenizer().decode(example.input_ids[18:20]) for example in batch.examples}
    assert starts == {"what colour", "what shape", "in which"}
    assert len(batch.examples) == RECIPE["optimization"]["batch_size"]


def loss_of(own, part):
    return own.loss(own.prepare(part).content)


def test_parts_of_a_batch_hold_it_all_and_have_its_loss():
    own = task()
    batch = own.batch(0)
    parts = own.split(batch, 7)
    assert [len(part.examples) for part in parts] == [7, 7, 7, 3]
    assert sum((part.examples for part in parts), ()) == batch.examples
    whole, weight = loss_of(own, batch)
    losses, weights = zip(*(loss_of(own, part) for part in parts), strict=True)
    torch.testing.assert_close(sum(losses), whole)
    supervised = sum(label != IGNORED for example in batch.examples for label in example.labels)
    assert sum(weights) == weight == supervised


def test_what_stands_in_a_cell_changes_only_what_comes_after_it():
    own = task()
    batch = own.batch(0)
    sighted = next(index for index, scene in enumerate(batch.scenes) if scene is not None)
    changed = list(batch.scenes)
    changed[sighted] = CHART
    blank = type(batch)(examples=batch.examples, scenes=tuple(changed))
    assert loss_of(own, blank)[0] != loss_of(own, batch)[0]


def test_training_writes_an_llm_that_loads_and_repeats_itself(tmp_path: Path):
    metrics = run(RECIPE, tmp_path / "one")
    assert metrics == run(RECIPE, tmp_path / "two")
    assert set(metrics) == {"loss", *(f"symbolic/{name}" for name in TASKS)}
    first, second = (load_language(tmp_path / name / "payload") for name in ("one", "two"))
    for key, value in first.llm.state_dict().items():
        assert torch.equal(value, second.llm.state_dict()[key]), key
    assert first.grid_positions is not None
    assert symbolic_accuracy(first, "count", n=300, seed=0) == metrics["symbolic/count"]
    assert make_chat(first).prompt("what is written", image=False)[0] == [1, 4, *_ids("what is written"), 5]


def test_a_recipe_of_another_world_is_refused(tmp_path: Path):
    recipe = RECIPE | {"world": {"version": WORLD_VERSION + 1, "seed": 0}}
    with pytest.raises(UserError, match=f"set world.version={WORLD_VERSION}"):
        run(recipe, tmp_path)


def test_accuracy_counts_exact_answers(monkeypatch: pytest.MonkeyPatch):
    language = make_language(RECIPE["architecture"], 0)
    end, yes = (language.tokenizer.token_to_id(token) for token in ("</s>", "yes"))

    def says_yes(states: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*states.shape[:2], language.llm.config.vocab_size)
        logits[..., end] = 1.0
        # The answer follows <assistant>, the third last of the longest example: its end is padded apart.
        logits[:, :, yes] = torch.where(_answers_next(), 2.0, 0.0)
        return logits

    def _answers_next() -> torch.Tensor:
        return seen[-1] == language.tokenizer.token_to_id("<assistant>")

    seen: list[torch.Tensor] = []
    embed = language.llm.get_input_embeddings()
    embed.register_forward_hook(
        lambda module, given, output: seen.append(given[0][:, :-1]) if given[0].ndim == 2 else None
    )
    monkeypatch.setattr(language.llm.lm_head, "forward", says_yes)
    assert symbolic_accuracy(language, "existence", n=100, seed=0) == 0.5


def _ids(text: str) -> list[int]:
    return make_tokenizer().encode(text).ids


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVED)
def test_the_shipped_llm_solves_every_benchmark_from_symbols(name: str):
    shipped = sorted((Path(cambrian.lab.__file__).parent / "weights" / "language").glob("*/config.json"))
    assert shipped, "no language model is shipped"
    for config in shipped:
        assert json.loads(config.read_text())["model_type"] == "llama"
        assert symbolic_accuracy(load_language(config.parent), name, n=400, seed=1) >= 0.9
