"""LLMs of every family, tiny, in the hub's format, through the code that loads the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_llms import FAMILIES, write_llm
from tiny_multimodal import CONCAT, SVA, WORDS, ask, noise
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from cambrian.data.batching import Batch, collate, load_images
from cambrian.data.conversation import Conversation, Turn
from cambrian.data.tokenization import IGNORED, Example
from cambrian.hub import llm_sizes, read_config
from cambrian.local_weights import fingerprint
from cambrian.model.assembly import assemble, load_trained, save_trained
from cambrian.model.freezing import freeze
from cambrian.model.generation import Request
from cambrian.model.language import recompute_activations
from cambrian.model.mllm import MultimodalLLM
from cambrian.model.pretrained import import_language

NAMES = ("vicuna", "llama3", "yi", "phi3", "qwen2", "mistral", "gemma")
EVERY = pytest.mark.parametrize("name", NAMES)
PAPER = pytest.mark.parametrize("name", NAMES[:5])
RNG = np.random.default_rng(3)
REQUESTS = [
    Request(
        id=f"q{index}",
        question=" ".join(RNG.choice(WORDS, size=1 + index % 3)),
        image=None if index % 3 == 2 else index // 3,  # two questions of different length about each
    )
    for index in range(6)
]
MAX_NEW_TOKENS = 5

Make = Callable[..., MultimodalLLM]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the payload of a stage `language`, made from a directory of the hub."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            root = tmp_path_factory.mktemp(name)
            source = write_llm(root / "source", name)
            payload = root / "payload"
            payload.mkdir()
            content = fingerprint(source)
            config = read_config(str(source), "")
            assert config is not None
            recipe = {
                "content": content,
                "template": FAMILIES[name].template,
                "architecture": llm_sizes(config),
            }
            import_language(recipe, payload, copies={content: str(source)}, download=False)
            made[name] = payload
        return made[name]

    return make


@pytest.fixture
def make(parts: Path, imported: Callable[[str], Path]) -> Make:
    def make_model(name: str, recipe: dict[str, Any] = SVA) -> MultimodalLLM:
        return assemble(
            encoder_dirs=[parts / "vit", parts / "convnet"],
            language_dir=imported(name),
            connector_recipe=recipe,
            template=FAMILIES[name].template,
            seed=0,
        ).eval()

    return make_model


def training_batch(model: MultimodalLLM, images: tuple[int | None, ...] = (4, None, 5)) -> Batch:
    examples = [
        model.chat.encode(
            Conversation(
                id=str(index),
                image=image,
                turns=tuple(
                    Turn(question=f"word{index} is?", answer="two red" + " cats" * index)
                    for _ in range(1 + index % 2)
                ),
            )
        )
        for index, image in enumerate(images)
    ]
    pictures = load_images(noise, images, model.views)
    return collate(examples, pictures, pad_id=model.chat.pad_id, padding="right")


def gradients(model: MultimodalLLM) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss, _ = model.loss(training_batch(model))
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def answers(model: MultimodalLLM, requests: list[Request], batch_size: int) -> list[str]:
    return ask(model, requests, vision=True, batch_size=batch_size, max_new_tokens=MAX_NEW_TOKENS)


@torch.no_grad()
def written_out(model: MultimodalLLM, request: Request) -> tuple[str, torch.Tensor]:
    """Greedy decoding without a cache: the whole sequence again for every token; text and last logits."""
    ids, placeholder = model.chat.prompt(request.question, image=request.image is not None)
    images = load_images(noise, [request.image], model.views)
    said: list[int] = []
    logits = torch.empty(0)
    for _ in range(MAX_NEW_TOKENS):
        sequence = tuple(ids + said)
        marks = tuple(placeholder) + (False,) * len(said)
        example = Example(id="", input_ids=sequence, labels=sequence, placeholder=marks)
        batch = collate([example], images, pad_id=model.chat.pad_id, padding="right")
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        logits = model.logits(states[0, -1])[: model.chat.vocabulary]
        if (token := int(logits.argmax())) == model.chat.end_id:
            break
        said.append(token)
    return model.chat.decode(said), logits


@EVERY
def test_what_is_imported_is_what_the_hub_has(imported: Callable[[str], Path], name: str) -> None:
    payload = imported(name)
    source = payload.parent / "source"
    ours, theirs = (AutoModelForCausalLM.from_pretrained(place).eval() for place in (payload, source))
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(ours(ids).logits, theirs(ids).logits)
    mine, yours = AutoTokenizer.from_pretrained(payload), AutoTokenizer.from_pretrained(source)
    text = "USER: What is this? </s><|im_end|>\n the cat"
    assert mine(text).input_ids == yours(text).input_ids
    assert mine.chat_template == FAMILIES[name].form
    assert mine.eos_token == FAMILIES[name].tokens["eos_token"]
    assert (payload / "model.safetensors").is_file()


@pytest.mark.parametrize("name", (*NAMES, "lfm2"))
def test_answers_from_padded_batches_with_a_cache_are_those_written_out(make: Make, name: str) -> None:
    model = make(name)
    expected = [written_out(model, request)[0] for request in REQUESTS]
    assert answers(model, REQUESTS, batch_size=6) == expected
    assert answers(model, REQUESTS, batch_size=1) == expected
    assert len(set(expected)) > 3


@EVERY
def test_a_prompt_without_image_after_one_with_image_gives_what_it_gives_alone(make: Make, name: str) -> None:
    seen, blind = REQUESTS[0], REQUESTS[2]
    model = make(name)
    alone = written_out(model, blind)
    written_out(model, seen)
    again = written_out(model, blind)
    assert again[0] == alone[0]
    assert torch.equal(again[1], alone[1])
    assert answers(model, [seen, blind], batch_size=1)[1] == alone[0]


@EVERY
@pytest.mark.parametrize("recipe", [CONCAT, SVA], ids=["concat", "sva"])
def test_text_alone_is_what_the_llm_makes_of_it(make: Make, name: str, recipe: dict[str, Any]) -> None:
    model = make(name, recipe)
    batch = training_batch(model, (None, None))
    with torch.no_grad():
        states = model.states(batch, attention_mask=None, position_ids=None, cache=None)
        assert torch.equal(model.logits(states), model.llm(input_ids=batch.input_ids).logits)
        mixed = training_batch(model, (None, 4))
        together = model.states(mixed, attention_mask=None, position_ids=None, cache=None)[0]
    length = int(mixed.attention_mask[0].sum())
    torch.testing.assert_close(together[:length], states[0, :length], atol=1e-5, rtol=1e-5)


@EVERY
def test_logits_with_a_cache_are_those_without(make: Make, name: str) -> None:
    model = make(name)
    batch = training_batch(model, (4,))
    prompt = next(index for index, label in enumerate(batch.labels[0].tolist()) if label != IGNORED)
    with torch.no_grad():
        whole = model.logits(model.states(batch, attention_mask=None, position_ids=None, cache=None))[0]
        cache = DynamicCache(config=model.llm.config)
        first = replace(
            batch, input_ids=batch.input_ids[:, :prompt], placeholder=batch.placeholder[:, :prompt]
        )
        states = [model.states(first, attention_mask=None, position_ids=None, cache=cache)[0, -1]]
        for place in range(prompt, batch.input_ids.shape[1]):
            embedding = model.llm.get_input_embeddings()(batch.input_ids[:, place : place + 1])
            positions = torch.tensor([[place]])
            states.append(
                model.decode(embedding, attention_mask=None, position_ids=positions, past_key_values=cache)[
                    0, -1
                ]
            )
        stepwise = model.logits(torch.stack(states))
    assert len(stepwise) > 3
    torch.testing.assert_close(stepwise, whole[prompt - 1 :], atol=2e-4, rtol=2e-4)


@EVERY
@pytest.mark.filterwarnings("ignore:.gradient_checkpointing_enable. is deprecated:FutureWarning")
@pytest.mark.parametrize("way", ["ours", "transformers"])
def test_recomputed_activations_give_equal_gradients(make: Make, name: str, way: str) -> None:
    model = make(name)
    freeze(model, stage="tune", vision="frozen")
    plain = gradients(model)
    aggregation = model.connector.get_submodule("aggregation.samplers.0")
    calls: list[int] = []
    handle = aggregation.register_forward_hook(lambda *_: calls.append(1))
    if way == "ours":
        recompute_activations(model.llm)
    else:
        model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    again = gradients(model)
    handle.remove()
    assert calls == [1]
    assert again.keys() == plain.keys()
    assert all(torch.equal(again[name], plain[name]) for name in plain)
    missing = {name for name, p in model.named_parameters() if p.requires_grad} - plain.keys()
    assert missing == set()


@PAPER
def test_layers_inside_the_llm_act_where_they_are_told(make: Make, name: str) -> None:
    """With start 0 and stride 2, layers 0 and 2 change the states of visual tokens, layer 1 does not."""
    recipe = {**SVA, "aggregation": {"start": 0, "stride": 2, "layers": 2}}
    model = make(name, recipe)
    batch = training_batch(model, (4, None))
    outputs: list[tuple[torch.Tensor, torch.Tensor]] = []

    def watch(layer: torch.nn.Module, _: tuple[Any, ...], output: torch.Tensor) -> None:
        before.append(output.detach().clone())

    for position in (0, 1, 2):
        before: list[torch.Tensor] = []
        layer = model.llm.get_decoder().layers[position]
        handle = layer.register_forward_hook(watch)  # before the layer of the connector
        with torch.no_grad():
            seen = _inputs_after(model, batch, position)
        handle.remove()
        outputs.append((before[0], seen))
    changed = [bool((given != taken).any()) for given, taken in outputs]
    assert changed == [True, False, True]
    for given, taken in (outputs[0], outputs[2]):
        different = (given != taken).any(dim=-1)
        assert not (different & ~batch.placeholder).any()
        assert int(different.sum()) == 16  # newlines and text stay


def _inputs_after(model: MultimodalLLM, batch: Batch, position: int) -> torch.Tensor:
    """States that go on after decoder layer `position`."""
    decoder = model.llm.get_decoder()
    following = decoder.layers[position + 1] if position + 1 < len(decoder.layers) else decoder.norm
    seen: list[torch.Tensor] = []
    handle = following.register_forward_pre_hook(
        lambda _, arguments: seen.append(arguments[0].detach().clone())
    )
    model.states(batch, attention_mask=None, position_ids=None, cache=None)
    handle.remove()
    return seen[0]


@PAPER
def test_a_tuned_model_comes_back_whole(make: Make, parts: Path, tmp_path: Path, name: str) -> None:
    model = make(name)
    freeze(model, stage="tune", vision="frozen")
    with torch.no_grad():
        for parameter in model.llm.parameters():
            parameter.add_(0.01)
    save_trained(model, tmp_path)
    loaded = load_trained(tmp_path, encoder_dirs=[parts / "vit", parts / "convnet"])
    batch = training_batch(model.eval())
    assert torch.equal(loaded.loss(batch)[0], model.loss(batch)[0])
    assert loaded.chat.template == model.chat.template
    kept = AutoTokenizer.from_pretrained(tmp_path / "language")
    assert kept.chat_template == FAMILIES[name].form
    tied = model.llm.config.tie_word_embeddings
    head, embeddings = loaded.llm.get_output_embeddings(), loaded.llm.get_input_embeddings()
    assert (head.weight is embeddings.weight) == tied == (name == "qwen2")


def test_rows_beyond_the_tokenizer_are_never_said(make: Make) -> None:
    model = make("qwen2")
    padded = model.llm.config.vocab_size - model.chat.vocabulary
    assert padded > 0
    expected = answers(model, REQUESTS[:2], batch_size=2)
    with torch.no_grad():
        model.llm.get_input_embeddings().weight[model.chat.vocabulary :] *= 1000
    assert answers(model, REQUESTS[:2], batch_size=2) == expected
