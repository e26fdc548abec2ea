import pytest
import torch

from cambrian.connectors.grids import kept_cells, resize, to_windows, window_mask
from cambrian.connectors.table import kept_sides, padding, visual_positions


@pytest.mark.parametrize(("side", "m"), [(1, 3), (2, 1), (2, 2), (4, 2), (3, 4)])
def test_a_window_holds_the_cell_of_its_query(side, m):
    grid = torch.arange(2 * (side * m) ** 2).reshape(2, side * m, side * m)
    windows = to_windows(grid, side)
    assert windows.shape == (2, side * side, m * m)
    for i in range(side):
        for j in range(side):
            cell = grid[1, i * m : (i + 1) * m, j * m : (j + 1) * m]
            assert torch.equal(windows[1, i * side + j], cell.flatten())


@pytest.mark.parametrize(
    ("size", "border", "kept"),
    [
        ((40, 40), (0, 0), (4, 4)),
        ((80, 40), (1, 0), (2, 4)),
        ((30, 90), (0, 1), (4, 2)),
        ((1000, 10), (2, 0), (0, 4)),
        ((10, 1000), (0, 2), (4, 0)),
    ],
    ids=["square", "wide", "tall", "all border", "only newlines"],
)
def test_the_border_follows_the_release(size, border, kept):
    assert padding(4, *size) == border
    assert kept_sides(4, *size) == kept
    cells, rows = kept_cells(torch.tensor([size]), 4)
    assert int(cells.sum()) == kept[0] * kept[1]
    assert int(rows.sum()) == kept[0]
    assert visual_positions({"kind": "concat", "side": 4, "newline": True}, size) == kept[0] * (kept[1] + 1)


def test_positions_of_a_square_image():
    assert visual_positions({"kind": "concat", "side": 4, "newline": False}) == 16
    assert visual_positions({"kind": "concat", "side": 4, "newline": True}) == 20


def test_a_window_inside_the_border_is_attended_to_as_a_whole():
    mask = window_mask(torch.tensor([[30, 90]]), grid=8, side=4)[0]  # columns 3 and 4 show the image
    expected = [[True] * 4, [False, True, False, True], [True, False, True, False], [True] * 4]
    assert mask[:4].tolist() == expected


def test_resizing_is_bilinear_and_free_when_not_needed():
    grid = torch.tensor([[0.0, 1.0], [2.0, 3.0]])[None, :, :, None]
    assert resize(grid, 2) is grid
    assert torch.allclose(resize(grid, 1), torch.tensor(1.5))
    assert torch.allclose(resize(grid, 4)[0, 0, :, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))
