"""The report in a real browser, opened from disk: nothing fails, nothing is fetched, everything reacts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from answered_store import ATTACK, fill_answered
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from analysis.report.__main__ import main

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = 1400, 400

TEXTS = """
  const box = document.querySelector("#figure-plot svg").getBoundingClientRect();
  const texts = [...document.querySelectorAll("#figure-plot text")].filter((one) => one.textContent);
  const boxes = texts.map((one) => one.getBoundingClientRect());
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  const name = (index) => texts[index].textContent;
  const all = [...boxes.keys()];
  return [
    all.filter((i) => boxes[i].left < box.left || boxes[i].right > box.right).map(name),
    all.filter((i) => all.some((j) => j > i && meet(boxes[i], boxes[j]))).map(name),
  ];
"""
"""Script: texts of the figure that are not inside it, and those that lie on others."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    fill_answered(folder / "store")
    assert main(["--store", str(folder / "store"), "--out", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    os.environ["SE_OFFLINE"] = "true"  # selenium is to look for no browser of its own
    options = webdriver.ChromeOptions()
    options.binary_location = next(path for name in BROWSERS if (path := shutil.which(name)))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


@pytest.fixture
def page(driver: webdriver.Chrome, report: Path) -> Iterator[webdriver.Chrome]:
    _resize(driver, WIDE)
    driver.get(report.as_uri())
    yield driver
    assert driver.get_log("browser") == []
    assert driver.title == "Cambrian Sweeps: report on lab", "an answer has run as a script"


def _resize(driver: webdriver.Chrome, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _all(page: webdriver.Chrome, selector: str) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, selector)


def _one(page: webdriver.Chrome, selector: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, selector)


def _choose(page: webdriver.Chrome, name: str, text: str) -> None:
    Select(_one(page, f"#{name}")).select_by_visible_text(text)


def _column(page: webdriver.Chrome, number: int) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.textContent.trim())"
    return page.execute_script(script, f"#results-table tbody tr > :nth-child({number})")


def test_it_fetches_nothing(page: webdriver.Chrome) -> None:
    fetched = "return performance.getEntriesByType('resource').map((one) => one.name)"
    assert [name for name in page.execute_script(fetched) if not name.startswith("data:")] == []
    blocked = page.execute_async_script("""
        const done = arguments[0];
        document.addEventListener("securitypolicyviolation", (one) => done(one.violatedDirective));
        new Image().src = "https://example.org/x.png";
    """)
    assert blocked == "img-src"
    page.get_log("browser")  # the violation that was just provoked


def test_lines_are_toggled_by_supervision_and_one_by_one(page: webdriver.Chrome) -> None:
    assert len(_all(page, "#figure-plot .series")) == 3
    _one(page, "#figure-supervision input[value=self]").click()
    assert len(_all(page, "#figure-plot .series")) == 1
    _one(page, "#figure-supervision input[value=self]").click()
    _one(page, "#figure-none").click()
    assert _one(page, "#figure-plot").text == "No line is chosen."
    _all(page, "#figure-lines input")[0].click()
    assert [label.text for label in _all(page, "#figure-plot .label.best")][:1] == ["siglip"]


def test_points_tell_their_values_to_pointer_and_keyboard(page: webdriver.Chrome) -> None:
    mark = _one(page, "#figure-plot g.language .mark")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    ActionChains(page).move_to_element(mark).perform()
    tip = _one(page, "#figure-plot .tip").text
    assert tip.startswith("siglip\nGeneral: 75.0 [") and "blind" in tip and "chance" in tip
    svg = _one(page, "#figure-plot svg")
    svg.send_keys(Keys.ESCAPE)
    assert not _one(page, "#figure-plot .tip").is_displayed()
    svg.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert _one(page, "#figure-readout").text.startswith("dinov2, Knowledge: 50.0 [")


def test_axes_are_picked(page: webdriver.Chrome) -> None:
    _choose(page, "figure-x", "encoder")
    ticks = [text.text for text in _all(page, "#figure-plot text.axis")]
    assert {"dinov2", "siglip"} <= set(ticks) and "General" not in ticks
    _choose(page, "figure-measure", "General")
    assert len(_all(page, "#figure-plot .mark")) == 3
    _one(page, "#figure-supervision input[value=self]").click()
    assert len(_all(page, "#figure-plot .mark")) == 1
    _choose(page, "figure-source", "Published results (Cambrian-1)")
    assert _one(page, "#figure-count").text == "19 lines"
    assert "without intervals" in _one(page, "#figure-note").text
    _choose(page, "figure-x", "instruction data")
    _choose(page, "figure-by", "vision encoder")
    _choose(page, "figure-only-encoder", "OpenAI CLIP ViT-L/14@336")
    assert {label.text for label in _all(page, "#figure-plot .label")} == {"frozen", "unfrozen"}


def test_results_are_sorted_and_filtered(page: webdriver.Chrome) -> None:
    _choose(page, "results-view", "benchmarks")
    assert len(_column(page, 1)) == 11
    scores = [float(text.split()[0]) for text in _column(page, 3)]
    assert scores == sorted(scores, reverse=True)
    header = "//table[@id='results-table']//button[starts-with(., 'Score')]"
    page.find_element(By.XPATH, header).click()
    assert [float(text.split()[0]) for text in _column(page, 3)] == sorted(scores)
    assert _one(page, "#results-table [aria-sort]").get_attribute("aria-sort") == "ascending"
    _one(page, "#results-words").send_keys("mae lab_te")
    assert _column(page, 2) == ["lab_text"] and _one(page, "#results-count").text == "1 row"
    _one(page, "#results-words").send_keys(Keys.CONTROL, "a", Keys.BACKSPACE)
    _choose(page, "results-category", "Vision-Centric")
    assert set(_column(page, 2)) == {"lab_count"} and len(_column(page, 1)) == 2
    _choose(page, "results-supervision", "language-supervised")
    assert _column(page, 1) == ["siglip"]


def test_two_models_are_compared_question_by_question(page: webdriver.Chrome) -> None:
    rows = {row.text.split(maxsplit=1)[0]: row.text for row in _all(page, "#pairs-table tbody tr")}
    assert rows["lab_count"].startswith("lab_count 75.0 50.0 +25.0 [")
    assert "5 of 12" in rows["lab_count"]
    _choose(page, "pairs-b", "mae")
    _one(page, "#pairs-table [data-sample=lab_text]").click()
    assert "lab_count" not in _one(page, "#pairs-table").text
    cards = _all(page, "#pairs-questions .card")
    assert len(cards) == 3 and ATTACK in cards[0].text and "✓ 1" in cards[0].text
    assert page.execute_script("return document.querySelector('#pairs-questions img').complete")
    assert not _all(page, "#pairs-questions td script, #pairs-questions td img")
    _choose(page, "pairs-filter", "all of the sample")
    assert len(_all(page, "#pairs-questions .card")) == 8
    _choose(page, "pairs-b", "siglip")
    assert _one(page, "#pairs-table").text == "A and B are the same model."


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_nothing_is_wider_than_the_page(page: webdriver.Chrome, width: int) -> None:
    _resize(page, width)
    _choose(page, "figure-source", "Published results (Cambrian-1)")
    assert page.execute_script("return document.documentElement.scrollWidth") == width
    assert page.execute_script(TEXTS) == [[], []]
    _choose(page, "figure-x", "encoder")
    outside, _ = page.execute_script(TEXTS)  # boxes of tilted names overlap, the names do not
    assert outside == []
