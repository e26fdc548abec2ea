"""The model card: what a model is, what it was trained on, what it scores, where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from cambrian.benchmarks.suite import CATEGORIES

CARD = "README.md"
TASK = "image-text-to-text"
USE = """\
```python
from cambrian.release import load_model  # pip install cambrian-sweeps

model = load_model("DIRECTORY")          # a torch module in evaluation mode
```

`python -m cambrian.release chat DIRECTORY IMAGE "QUESTION"` answers a question about an image."""
LAB = (
    "**A model of the lab.** It was trained on drawn scenes of 4x4 cells, with a tiny LLM that knows the "
    "words for them and nothing else. Its scores are lab results: they say nothing of real images and are "
    "not to be compared with published ones."
)

Facts = Mapping[str, Any]


def write_card(
    directory: Path, facts: Facts, config: Mapping[str, Any], processor: Mapping[str, Any]
) -> None:
    """Write README.md for a model in this project's own form.

    Args:
        directory: of the model.
        facts: content of its release.json.
        config: content of its config.json.
        processor: content of its processor_config.json.
    """
    text = make_card(facts, config, processor["encoders"], use=USE, library="cambrian-sweeps")
    (directory / CARD).write_text(text)


def make_card(
    facts: Facts,
    config: Mapping[str, Any],
    images: Sequence[Mapping[str, Any]],
    *,
    use: str,
    library: str,
    notes: Sequence[str] = (),
) -> str:
    """Write a card; `use` says how to load the model with `library`, `notes` are sentences of their own."""
    sections = {
        "Use": use,
        "Recipe": _recipe(facts, config),
        "Images": _images(images),
        "Training": _training(facts["stages"]),
        _scores_title(facts): _scores(facts["evaluations"]),
        "Notes": "\n".join(f"- {note}" for note in (*facts["notes"], *notes)),
        "Provenance": _provenance(facts),
    }
    head = [f"---\n{_header(facts, library)}\n---", f"# {facts['name']}", *([LAB] if facts["lab"] else [])]
    body = [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([*head, *body]) + "\n"


def _header(facts: Facts, library: str) -> str:
    """Metadata that hubs read."""
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=row["benchmark"],
            dataset_name=_dataset_name(row),
            metric_type=row["metric"],
            metric_value=round(row["metrics"]["score"], 2),
        )
        for row in facts["evaluations"]
        if "unscored" not in row["metrics"]
    ]
    data = ModelCardData(
        language="en",
        library_name=library,
        pipeline_tag=TASK,
        tags=["cambrian-sweeps", "multimodal", *(["lab"] if facts["lab"] else [])],
        model_name=facts["name"],
        eval_results=results or None,
    )
    return data.to_yaml()


def _dataset_name(row: Mapping[str, Any]) -> str:
    """What hubs show beside a score: never a part of a benchmark under the benchmark's bare name."""
    metrics, name = row["metrics"], row["benchmark"] + (" (lab result)" if row["lab"] else "")
    return f"{name} ({_asked(metrics)})" if metrics.get("total", 0) > metrics["n"] else name


def _recipe(facts: Facts, config: Mapping[str, Any]) -> str:
    llm = config["text_config"]
    rows = [
        *((f"encoder {number}", _plain(each)) for number, each in enumerate(config["encoders"])),
        ("connector", _plain(config["connector"])),
        (
            "LLM",
            f"{llm['model_type']}: {llm['num_hidden_layers']} layers, width {llm['hidden_size']}, "
            f"{llm['vocab_size']} tokens, {llm['max_position_embeddings']} positions",
        ),
        ("template", config["template"]),
        *((name, _plain(value)) for name, value in facts["axes"].items()),
    ]
    return _table(("part", "what"), rows)


def _images(images: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            str(number),
            f"{each['resolution']} x {each['resolution']}",
            ", ".join(map(str, each["padding"])),
            ", ".join(map(str, each["mean"])),
            ", ".join(map(str, each["std"])),
        )
        for number, each in enumerate(images)
    ]
    text = "Centred on a square of the padding colour, resized (bicubic), then (pixel - mean) / std."
    return f"{text}\n\n{_table(('encoder', 'pixels', 'padding', 'mean', 'std'), rows)}"


def _training(stages: Iterable[Mapping[str, Any]]) -> str:
    """The stages that trained something of this model, with their data and settings."""
    parts = []
    for stage in stages:
        recipe, metrics = stage["recipe"], stage["metrics"]
        shown = ("data", "objective", "optimization", "vision", "model", "seed")
        rows = [(name, _plain(recipe[name])) for name in shown if recipe.get(name) not in ({}, None)]
        rows += [(name, _plain(round(value, 4))) for name, value in metrics.items()]
        parts.append(f"### {stage['role']}: {stage['label']}\n\n{_table(('setting', 'value'), rows)}")
    return "\n\n".join(parts)


def _scores_title(facts: Facts) -> str:
    return "Scores: lab results" if facts["lab"] else "Scores"


def _scores(evaluations: Sequence[Mapping[str, Any]]) -> str:
    if not evaluations:
        return "None of this model's evaluations is finished."
    rows, unscored = [], []
    for row in evaluations:
        m = row["metrics"]
        if "unscored" in m:
            unscored.append(f"Not scored: {row['benchmark']}, {m['n']} questions: {m['unscored']}.")
            continue
        rows.append(
            (
                row["benchmark"] + (" (lab)" if row["lab"] else ""),
                CATEGORIES.get(row["category"], row["category"]),
                _asked(m),
                f"{m['score']:.1f}",
                f"{m['low']:.1f} to {m['high']:.1f}",
                f"{m['blind']:.1f}",
                f"{m['score'] - m['blind']:+.1f}",
                f"{m['chance']:.1f}",
                f"{m['majority']:.1f}",
                f"{m['unparsed']:.1f}",
            )
        )
    columns = (
        "benchmark",
        "category",
        "questions",
        "score",
        "95 %",
        "blind",
        "vision gain",
        "chance",
        "majority",
        "unparsed",
    )
    text = (
        "In percent. Blind: the same model without the image. Vision gain: score minus blind. Chance: "
        "guessing over the actual options. Majority: the most frequent answer. Scores of a part of its "
        "questions are not those of a benchmark."
    )
    return "\n\n".join([text, _table(columns, rows), *unscored])


def _asked(metrics: Mapping[str, Any]) -> str:
    """How many questions were asked, and how many the benchmark has if that was not all."""
    n, total = metrics["n"], metrics.get("total", 0)
    return f"{n} of {total} (partial)" if total > n else str(n)


def _provenance(facts: Facts) -> str:
    rows = [(stage["role"], f"`{stage['digest']}`", _plain(stage["provenance"])) for stage in facts["stages"]]
    rows += [(name, "", _plain(value)) for name, value in facts["origin"].items()]
    return _table(("stage", "digest", "made with"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(value: object) -> str:
    """Write a value in one line, without the marks of JSON where it can be read without."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_inner(item)}" for key, item in value.items() if item not in ({}, None))
    return json.dumps(value)


def _inner(value: object) -> str:
    return f"{{{_plain(value)}}}" if isinstance(value, Mapping) else _plain(value)
