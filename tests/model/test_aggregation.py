import pytest
import torch
from torch import nn

from cambrian.connectors.base import build_connector
from cambrian.connectors.oracle import plain_layer
from cambrian.model.aggregation import aggregate_inside
from cambrian.model.splice import splice, visual_rows

torch.set_num_threads(1)

WIDTH = 12
RECIPE = {
    "kind": "sva",
    "side": 2,
    "width": 8,
    "heads": 2,
    "depth": 1,
    "groups": [2],
    "newline": True,
    "aggregation": {"start": 1, "stride": 2, "layers": 2},
}


class TinyLanguage(nn.Module):
    """Decoder layers without attention, so that positions and samples cannot mix."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, states):
        for layer in self.layers:
            states = layer(states)
        return states


@pytest.fixture
def connector():
    torch.manual_seed(0)
    return build_connector(RECIPE, [5, 6], [2, 4], WIDTH, 4)


@pytest.fixture
def language():
    torch.manual_seed(1)
    return TinyLanguage()


def prepare(connector, images, sizes=None, seed=2):
    """Visual tokens of `images` images and a batch with a text-only sample in the middle."""
    torch.manual_seed(seed)
    features = [torch.randn(images, 2, 2, 5), torch.randn(images, 4, 4, 6)]
    visual = connector(features, sizes)
    rows = visual_rows(visual.tokens, visual.keep, visual.keep_rows, connector.newline)
    placeholder = torch.zeros(images + 1, 10, dtype=torch.bool)
    samples = [0, *range(2, images + 1)]
    for offset, (sample, count) in enumerate(zip(samples, rows.counts.tolist(), strict=True)):
        placeholder[sample, offset : offset + count] = True  # at a different place in every sample
    torch.manual_seed(3)
    return visual, splice(torch.randn(images + 1, 10, WIDTH), placeholder, rows)


def run(connector, language, visual, spliced):
    with aggregate_inside(connector.aggregation, language.layers, visual.aggregation, spliced.visual):
        return language(spliced.embeddings)


def test_only_visual_tokens_change(connector, language):
    visual, spliced = prepare(connector, 2)
    plain, inside = language(spliced.embeddings), run(connector, language, visual, spliced)
    changed = (plain != inside).any(dim=-1)
    assert torch.equal(changed, spliced.visual)
    assert int(spliced.newline.sum()) == 4
    assert not changed[1].any()  # the text-only sample, bit for bit


@pytest.mark.parametrize("sizes", [None, [[20, 20], [30, 10]]], ids=["square", "padded"])
def test_it_equals_the_layer_written_out(connector, language, sizes):
    image_sizes = None if sizes is None else torch.tensor(sizes)
    visual, spliced = prepare(connector, 2, image_sizes)
    inputs = visual.aggregation
    states = spliced.embeddings
    for number, layer in enumerate(language.layers):
        states = layer(states)
        if number in (1, 3):
            sampler = connector.aggregation.samplers[(number - 1) // 2]
            contexts = inputs.context[inputs.image][:, None]
            flat = states[spliced.visual][:, None]
            updated = plain_layer(sampler.layers[0], flat, contexts, inputs.windows)
            states = states.index_put(torch.where(spliced.visual), updated[:, 0])
    assert torch.allclose(run(connector, language, visual, spliced), states, atol=1e-5)


def test_a_sample_does_not_depend_on_its_neighbours(connector, language):
    visual, spliced = prepare(connector, 3)
    together = run(connector, language, visual, spliced)
    kept = visual.aggregation.image == 1
    only = type(visual.aggregation)(
        context=visual.aggregation.context[1:2],
        image=torch.zeros(int(kept.sum()), dtype=torch.long),
        windows=tuple(seen.select(kept[None]) for seen in visual.aggregation.windows),
    )
    sample = slice(2, 3)  # sample 1 is text only, so sample 2 shows image 1
    with aggregate_inside(connector.aggregation, language.layers, only, spliced.visual[sample]):
        alone = language(spliced.embeddings[sample])
    assert torch.allclose(together[sample], alone, atol=1e-6)


class TupleLayer(nn.Module):
    """A decoder layer that gives more than its states, as in some versions of transformers."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, states):
        return self.layer(states[0] if isinstance(states, tuple) else states), "attention"


def test_layers_may_give_a_tuple(connector, language):
    visual, spliced = prepare(connector, 2)
    expected = run(connector, language, visual, spliced)
    language.layers = nn.ModuleList(TupleLayer(layer) for layer in language.layers)
    states, rest = run(connector, language, visual, spliced)
    assert torch.equal(states, expected)
    assert rest == "attention"


def test_nothing_is_left_behind(connector, language):
    visual, spliced = prepare(connector, 1)
    before = language(spliced.embeddings)
    run(connector, language, visual, spliced)
    assert torch.equal(language(spliced.embeddings), before)
    inside = aggregate_inside(connector.aggregation, language.layers, visual.aggregation, spliced.visual)
    with pytest.raises(RuntimeError, match="interrupted"), inside:
        raise RuntimeError("interrupted")
    assert not any(layer._forward_hooks for layer in language.layers)


def test_text_only_batches_and_connectors_without_layers_are_untouched(connector, language):
    visual, spliced = prepare(connector, 1)
    before = language(spliced.embeddings)
    nothing = torch.zeros_like(spliced.visual)
    with aggregate_inside(connector.aggregation, language.layers, visual.aggregation, nothing):
        assert torch.equal(language(spliced.embeddings), before)
    with aggregate_inside(None, language.layers, None, spliced.visual):
        assert torch.equal(language(spliced.embeddings), before)


def test_wrong_uses_are_refused(connector, language):
    visual, spliced = prepare(connector, 1)
    fewer = spliced.visual.clone()
    fewer[0, 0] = False
    with (
        pytest.raises(ValueError, match="3 visual positions are marked, but there is input for 4"),
        aggregate_inside(connector.aggregation, language.layers, visual.aggregation, fewer),
    ):
        pass
    with (
        pytest.raises(ValueError, match="prefill only"),
        aggregate_inside(connector.aggregation, language.layers, visual.aggregation, spliced.visual),
    ):
        language(spliced.embeddings[:, -1:])
    with (
        pytest.raises(ValueError, match="has only 2"),
        aggregate_inside(connector.aggregation, language.layers[:2], visual.aggregation, spliced.visual),
    ):
        pass


def test_its_weights_get_gradients(connector, language):
    visual, spliced = prepare(connector, 2)
    run(connector, language, visual, spliced).square().sum().backward()
    assert all(parameter.grad is not None for parameter in connector.parameters())
