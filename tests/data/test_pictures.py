"""Image files of every kind, made with Pillow: what is done with them, and what is refused and why."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cambrian.data.pictures import MAX_PIXELS, View, prepare, read_picture, read_size
from cambrian.errors import BadImageError, DataError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def _content(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _halves(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def _refusal(content: bytes) -> str:
    with pytest.raises(BadImageError) as raised:
        read_picture(content, "a.png")
    assert raised.value.path == "a.png"
    return raised.value.reason


def test_plain_images_come_as_they_are(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(noise).save(path)
    np.testing.assert_array_equal(np.asarray(read_picture(path)), noise)


def test_empty_missing_and_other_files_are_refused(tmp_path: Path) -> None:
    assert _refusal(b"") == "is empty"
    assert _refusal(b"<html>404 Not Found</html>") == "is no image that Pillow knows"
    with pytest.raises(BadImageError, match=r"none\.jpg cannot be read: No such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(DataError):
        read_picture(tmp_path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_truncated_images_are_refused(form: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = _content(Image.fromarray(noise), form)
    assert read_picture(content).size == (64, 64)
    reason = _refusal(content[: len(content) // 2])
    assert reason.startswith(("cannot be decoded", "is no image"))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_images_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(_content(_halves(), data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF"]))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_picture(bytes(content)).mode == "RGB"
    except BadImageError as error:
        assert error.reason


def test_cmyk_and_grey_are_converted() -> None:
    cmyk = read_picture(_content(_halves("CMYK"), "JPEG", quality=95))
    assert cmyk.mode == "RGB"
    np.testing.assert_allclose(cmyk.getpixel((5, 10)), RED, atol=12)
    np.testing.assert_allclose(cmyk.getpixel((35, 10)), BLUE, atol=12)
    assert read_picture(_content(Image.new("L", (4, 4), 99))).getpixel((1, 1)) == (99, 99, 99)
    assert read_picture(_content(Image.new("1", (4, 4), 1))).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_keep_their_upper_eight() -> None:
    ramp = (np.arange(16, dtype=np.uint16) * 4096).reshape(4, 4)
    content = _content(Image.fromarray(ramp))
    assert Image.open(io.BytesIO(content)).mode == "I;16"
    grey = np.asarray(read_picture(content))[:, :, 0]
    np.testing.assert_array_equal(grey, (ramp >> 8).astype(np.uint8))


def test_pixels_without_a_known_white_are_refused() -> None:
    assert _refusal(_content(Image.new("F", (3, 3), 0.5), "TIFF")) == "has floating-point pixels"
    assert "beyond 16 bits" in _refusal(_content(Image.new("I", (3, 3), 70_000), "TIFF"))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_shown_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    if mode == "P":
        palette = Image.new("P", (4, 2), 1)
        palette.putpalette([9, 9, 9, 0, 0, 0])
        palette.putpixel((0, 0), 0)
        content = _content(palette, transparency=0)
    else:
        content = _content(image.convert(mode))
    shown = read_picture(content)
    assert shown.getpixel((0, 0)) == (255, 255, 255)
    assert shown.getpixel((1, 1)) == (0, 0, 0)


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    shown = read_picture(_content(Image.new("RGBA", (2, 2), (0, 0, 0, 128))))
    assert shown.getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(form: str) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if form == "WEBP" else {}
    content = _content(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 2
    assert read_picture(content).getpixel((3, 3)) == RED


def test_exif_turns_an_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned = read_picture(_content(_halves(size=(40, 20)), "PNG", exif=exif))
    assert turned.size == (20, 40)
    assert turned.getpixel((10, 5)) == RED
    assert turned.getpixel((10, 35)) == BLUE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(_content(_halves(size=(40, 20)), "JPEG", exif=exif))
    assert read_size(path) == read_picture(path).size


def test_an_image_without_a_usable_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_content(Image.new("RGB", (20_000, 1))))
    with pytest.raises(BadImageError, match="20000 x 1 pixels"):
        read_size(path)
    with pytest.raises(BadImageError, match=r"none\.png cannot be read: No such file"):
        read_size(tmp_path / "none.png")


def test_one_pixel_fills_every_view() -> None:
    views = [View(8, (1, 2, 3)), View(5, (0, 0, 0))]
    prepared = prepare(read_picture(_content(Image.new("RGB", (1, 1), RED))), views)
    assert [array.shape for array in prepared.values()] == [(8, 8, 3), (5, 5, 3)]
    assert all((array == RED).all() and array.dtype == np.uint8 for array in prepared.values())


def test_lines_are_refused_and_long_strips_are_not() -> None:
    assert _refusal(_content(Image.new("RGB", (20_000, 1)))) == (
        "has 20000 x 1 pixels: a side over 100 times the other"
    )
    assert read_picture(_content(Image.new("RGB", (100, 1)))).size == (100, 1)


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_decompression_bombs_are_refused_before_they_are_decoded(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    assert f"{MAX_PIXELS:,}" in _refusal(bomb)


def test_padding_is_centred_in_the_encoders_own_colour() -> None:
    image = Image.new("RGB", (4, 1), RED)
    wide = prepare(image, [View(4, (122, 116, 104))])[View(4, (122, 116, 104))]
    assert (wide[1] == RED).all()  # of three missing rows one comes before
    assert (wide[[0, 2, 3]] == (122, 116, 104)).all()
    high = prepare(image.transpose(Image.Transpose.ROTATE_90), [View(4, (1, 2, 3))])[View(4, (1, 2, 3))]
    assert (high[:, 1] == RED).all() and (high[:, [0, 2, 3]] == (1, 2, 3)).all()


def test_one_decoding_serves_encoders_of_one_resolution_and_two_colours() -> None:
    views = [View(8, (127, 127, 127)), View(8, (122, 116, 104))]
    one, two = prepare(Image.new("RGB", (8, 2), BLUE), views).values()
    assert (one[4] == two[4]).all() and not (one[0] == two[0]).any()


def test_resizing_is_bicubic_with_antialiasing_after_the_padding() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    padded = np.full((50, 50, 3), (10, 20, 30), dtype=np.uint8)
    padded[10:40] = noise
    expected = Image.fromarray(padded).resize((13, 13), Image.Resampling.BICUBIC)
    view = View(13, (10, 20, 30))
    np.testing.assert_array_equal(prepare(Image.fromarray(noise), [view])[view], np.asarray(expected))


def test_very_large_images_are_reduced_first() -> None:
    image = Image.new("RGB", (9000, 90), RED)
    view = View(300, (0, 0, 0))
    prepared = prepare(image, [view])[view]
    assert (prepared[150, 5:-5] == RED).all() and (prepared[:140] == 0).all()


def test_a_refusal_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(BadImageError("a.png", "is empty")))
    assert (error.path, error.reason, str(error)) == ("a.png", "is empty", "a.png is empty")
