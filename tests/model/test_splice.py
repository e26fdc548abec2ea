import pytest
import torch

from cambrian.connectors.grids import kept_cells
from cambrian.model.splice import splice, visual_rows


def grids(batch, side=2, width=3):
    return torch.arange(1.0, 1 + batch * side * side * width).reshape(batch, side, side, width)


def test_rows_follow_the_grid_and_end_in_newlines():
    newline = torch.full((3,), -1.0)
    rows = visual_rows(grids(2), None, None, newline)
    assert rows.counts.tolist() == [6, 6]
    assert rows.is_newline.tolist() == [False, False, True] * 4
    assert torch.equal(rows.rows[~rows.is_newline], grids(2).flatten(0, 2))
    assert torch.equal(rows.rows[2], newline)


def test_the_border_is_dropped_with_its_newlines():
    sizes = torch.tensor([[20, 10], [10, 20], [100, 1], [1, 100]])
    keep, keep_rows = kept_cells(sizes, 4)
    rows = visual_rows(grids(4, side=4), keep, keep_rows, torch.zeros(3))
    assert rows.counts.tolist() == [2 * 5, 4 * 3, 0, 4]


def test_splicing_leaves_text_alone():
    rows = visual_rows(grids(2), None, None, None)
    placeholder = torch.zeros(3, 6, dtype=torch.bool)
    placeholder[0, 1:5] = placeholder[2, 2:6] = True
    text = -torch.rand(3, 6, 3)
    spliced = splice(text, placeholder, rows)
    assert torch.equal(spliced.embeddings[~placeholder], text[~placeholder])
    assert torch.equal(spliced.embeddings[2, 2:6], grids(2)[1].flatten(0, 1))
    assert torch.equal(spliced.visual, placeholder)
    assert not spliced.newline.any()


@pytest.mark.parametrize("counts", [(4, 3), (5, 4), (4, 0), (8, 0)])
def test_a_wrong_number_of_placeholders_is_refused(counts):
    placeholder = torch.zeros(2, 8, dtype=torch.bool)
    for sample, count in enumerate(counts):
        placeholder[sample, :count] = True
    with pytest.raises(ValueError, match="image placeholders"):
        splice(torch.zeros(2, 8, 3), placeholder, visual_rows(grids(2), None, None, None))
