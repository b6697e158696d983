"""The page in a real browser, from a file: it draws, answers to pointer and keyboard, and asks the network for nothing."""

import json

import pytest

from isometry.report import write
from tests.browser import NEEDED, driven

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = NEEDED
SPOT = "const box = map.canvas.getBoundingClientRect(); return [box.left + map.px(arguments[0]), box.top + map.py(arguments[0])]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with driven(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser, record, tmp_path):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(write(record, tmp_path / "report.html").as_uri())
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    yield browser
    assert browser.get_log("browser") == []


def one(page, selector):
    return page.find_element("css selector", selector)


def point_at(page, x, y):
    actions = webdriver.ActionChains(page)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.perform()


def bring(page, selector):
    page.execute_script(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})", selector
    )
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def test_it_opens_from_a_file_and_asks_for_nothing(page):
    assert one(page, ".tile .big").text == "0.876"
    assert one(page, "h1").is_displayed()
    sent = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {entry["params"]["request"]["url"] for entry in sent if entry["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith("data:")} == {page.current_url}


def test_every_picture_loads(page):
    widths = "Promise.all([...document.images].map((image) => image.decode().then(() => image.naturalWidth)))"
    wide = page.execute_async_script(f"const done = arguments[0]; {widths}.then(done)")
    assert len(wide) > 100
    assert min(wide) > 0


def test_tabs_show_one_panel_by_pointer_and_by_key(page):
    shown = lambda: [panel.is_displayed() for panel in page.find_elements("css selector", "[role=tabpanel]")]  # noqa: E731
    assert shown() == [True, False, False]
    bring(page, "#tab-worst")
    one(page, "#tab-worst").click()
    assert shown() == [False, False, True]
    one(page, "#tab-worst").send_keys("\ue012")  # the left arrow
    assert shown() == [False, True, False]
    assert page.switch_to.active_element.get_attribute("id") == "tab-best"


def test_resting_on_a_result_says_its_class_rank_and_similarity(page):
    bring(page, "#panel-random .hit")
    hit = one(page, "#panel-random .hit")
    webdriver.ActionChains(page).move_to_element(hit).perform()
    tip = one(page, "#tip")
    assert hit.get_attribute("data-tip") in tip.text
    assert "rank 1 · similarity" in tip.text
    assert tip.find_element("css selector", "img").is_displayed()


def test_a_point_of_the_map_shows_its_picture_class_and_neighbours(page):
    bring(page, "#canvas")
    for i in (0, 31, 59):
        point_at(page, *page.execute_script(SPOT, i))
        shown = page.execute_script("return map.hovered()")
        name = page.execute_script("return map.data.names[map.data.c[arguments[0]]]", shown)
        tip = one(page, "#tip")
        assert tip.is_displayed()
        assert " ".join(name.split()) in tip.text
        assert len(tip.find_elements("css selector", ".near canvas")) == 6
        assert (
            page.execute_script(
                "const c = document.querySelector('#tip > canvas'); return c.getContext('2d').getImageData(9, 9, 1, 1).data[3]"
            )
            == 255
        )
        assert " ".join(name.split()) in one(page, "#said").text


def test_the_map_is_drawn_and_moves_between_points_by_key(page):
    bring(page, "#canvas")
    pixels = "map.canvas.getContext('2d').getImageData(0, 0, map.canvas.width, map.canvas.height).data"
    assert page.execute_script(f"return {pixels}.some((value) => value > 0)")
    page.execute_script("map.canvas.focus()")
    one(page, "#canvas").send_keys("\ue014")
    first = page.execute_script("return map.hovered()")
    one(page, "#canvas").send_keys("\ue014\ue012\ue012\ue015")
    assert first >= 0
    assert page.execute_script("return map.hovered()") not in (-1, first)


def test_a_search_finds_a_class(page):
    one(page, "#find").send_keys("CEDAR")
    assert one(page, "#said").text == '1 class, 10 shown: <b>cedar</b> & "co"'
    one(page, "#find").clear()
    one(page, "#find").send_keys("zebra")
    assert "No shown class" in one(page, "#said").text


def test_zooming_keeps_the_middle_and_resets(page):
    bring(page, ".tools")
    before = page.execute_script("return [map.across(), map.view.x]")
    one(page, "[data-zoom='1.5']").click()
    after = page.execute_script("return [map.across(), map.view.x]")
    assert after == pytest.approx([1.5 * before[0], before[1]])
    one(page, "[data-zoom='0']").click()
    assert page.execute_script("return [map.across(), map.view.x]") == before


@pytest.mark.parametrize(
    ("chart", "says"),
    [("#loss svg", "loss "), ("#validation svg", "MAP@R "), ("#pairs svg", "of same-class pairs missed")],
)
def test_charts_are_read_by_pointer_and_by_key(page, chart, says):
    bring(page, chart)
    webdriver.ActionChains(page).move_to_element(one(page, chart)).perform()
    assert says in one(page, "#tip").text
    assert len(page.find_elements("css selector", f"{chart} .cross")) == 1
    page.execute_script("document.querySelector(arguments[0]).focus()", chart)
    one(page, chart).send_keys("\ue014")
    assert says in one(page, "#tip").text


def test_it_fits_a_telephone(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
