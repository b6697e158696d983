"""The explorer in a real browser: search by upload, filter, compare; back and forth; keys; nothing asked of anybody else."""

import json
import threading
import time

import pytest

from isometry.explore import app
from isometry.explore.server import listening
from tests.browser import NEEDED, driven

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = NEEDED
SETTLED = """return document.body.classList.contains('ready') && !document.querySelector('[aria-busy=true]')
    && explore.plate.pictures.loading === 0"""
ESCAPE, ENTER, RIGHT = "\ue00c", "\ue007", "\ue014"


@pytest.fixture(scope="module")
def address(shown):
    uvicorn = pytest.importorskip("uvicorn", reason="the explorer is not served: uvicorn not installed")
    with listening("127.0.0.1", 0) as taken:
        server = uvicorn.Server(uvicorn.Config(app(shown), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with driven(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser, address):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(address)
    settled(browser)
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]] == []


def settled(page, condition=SETTLED):
    for _ in range(300):
        if page.execute_script(condition):
            return
        time.sleep(0.05)
    pytest.fail(f"the page does not settle: {condition}")


def one(page, selector):
    return page.find_element("css selector", selector)


def texts(page, selector):
    return [found.text for found in page.find_elements("css selector", selector)]


def upload(page, path):
    page.execute_script("document.getElementById('panel').dataset.shown = ''")
    one(page, "#file").send_keys(str(path))
    settled(page, "return location.hash.startsWith('#/picture/u') && document.querySelector('.hit')")
    settled(page)


def open_first_error(page):
    one(page, "#panel .thumb.wrong").click()
    settled(page, "return document.querySelector('.hit')")
    settled(page)


def test_it_asks_nobody_else_for_anything(page, address):
    open_first_error(page)
    sent = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {entry["params"]["request"]["url"] for entry in sent if entry["method"] == "Network.requestWillBeSent"}
    assert len(asked) > 20
    assert {url for url in asked if not url.startswith((address, "data:"))} == set()


def test_the_map_is_drawn(page, shown):
    assert page.execute_script("return explore.plate.stats.drawn") == len(shown.items)
    colours = """const c = explore.plate.canvas, d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const seen = new Set();
        for (let i = 0; i < d.length; i += 4) seen.add(d[i] * 65536 + d[i + 1] * 256 + d[i + 2]);
        return seen.size"""
    assert page.execute_script(colours) > 50


def test_search_by_upload_finds_the_picture_itself(page, table):
    upload(page, table.parent / "150.png")
    columns = page.find_elements("css selector", ".column")
    assert len(columns) == 2
    for column in columns:
        assert column.find_element("css selector", ".hit").get_attribute("data-id") == "150"
    assert one(page, ".query .over").text.lower() == "your picture"
    assert page.find_elements("css selector", ".hit .sign") == []  # nothing is known of its class
    hash_before = page.execute_script("return location.hash")
    one(page, ".hit a").click()
    settled(page, "return location.hash.startsWith('#/picture/150')")
    settled(page)
    leaf = "const s = explore.space; return s.leaf(s.labels[s.row(150)])"
    assert one(page, ".query h2").text == page.execute_script(leaf)
    page.back()
    settled(page, f"return location.hash === {json.dumps(hash_before)}")
    settled(page)
    assert one(page, ".query .over").text.lower() == "your picture"


def test_what_is_no_picture_is_said(page, tmp_path):
    (tmp_path / "note.png").write_text("not a picture")
    one(page, "#file").send_keys(str(tmp_path / "note.png"))
    settled(page, "return !document.getElementById('trouble').hidden")
    assert "pictures are PNG" in one(page, "#trouble").text
    assert page.execute_script("return document.querySelectorAll('.hit').length") == 0
    page.get_log("browser")  # the browser itself notes the answer 415


def test_filters_by_part_error_and_class(page, shown):
    lit = lambda: page.execute_script("return explore.plate.lit")  # noqa: E731
    one(page, ".segments button:nth-child(4)").click()
    settled(page)
    assert lit() == 96
    assert "part=test" in page.current_url
    right = shown.spaces[0].right
    page.execute_script(
        "const s = document.querySelector('#filters select'); s.value = 'wrong'; s.dispatchEvent(new Event('change'))"
    )
    settled(page)
    assert lit() == int((right[-96:] == 0).sum())
    assert texts(page, "#count") == [f"{lit()} of 240 pictures"]
    page.execute_script(
        "const s = document.querySelector('#filters select'); s.value = 'only1'; s.dispatchEvent(new Event('change'))"
    )
    settled(page)
    both = torch_count(shown.spaces[1].right[-96:] == 0, right[-96:] == 1)
    assert lit() == both
    page.execute_script("history.back()")
    settled(page, "return location.hash.includes('truth=wrong')")
    one(page, "#term").send_keys("digit/17")
    assert texts(page, "#options li b") == ["17"]
    one(page, "#term").send_keys(ENTER)
    settled(page, "return location.hash.includes('class')")
    label = shown.items.classes.index("digit/17")
    assert lit() == torch_count(shown.items.labels[-96:] == label, right[-96:] == 0)


def torch_count(*conditions):
    from functools import reduce

    return int(reduce(lambda a, b: a & b, conditions).sum())


def test_two_models_stand_side_by_side_and_what_they_share_is_marked(page):
    open_first_error(page)
    found = [
        [hit.get_attribute("data-id") for hit in column.find_elements("css selector", ".hit")]
        for column in page.find_elements("css selector", ".column")
    ]
    marked = [
        hit.get_attribute("data-id") for hit in page.find_elements("css selector", ".column:first-child .hit.shared")
    ]
    shared = [id for id in found[0] if id in found[1]]
    assert marked == shared
    ranks = [int(text.split()[-1]) for text in texts(page, ".column:first-child .both")]
    assert ranks == [found[1].index(id) + 1 for id in shared]
    assert [f"{len(shared)} shared" in text for text in texts(page, ".column h3 small")] == [True, True]


def test_right_and_wrong_are_told_by_more_than_colour(page):
    open_first_error(page)
    for hit in page.find_elements("css selector", ".column:first-child .hit"):
        wrong = "wrong" in hit.get_attribute("class").split()
        assert hit.find_element("css selector", ".sign").text == ("✗" if wrong else "✓")
        border = hit.find_element("css selector", "a").value_of_css_property("border-top-style")
        assert border == ("dashed" if wrong else "solid")


def test_a_match_is_explained(page):
    open_first_error(page)
    one(page, ".hit .ask").click()
    settled(page, "return document.querySelectorAll('#why .pair img').length === 2")
    wide = """const done = arguments[0], images = [...document.querySelectorAll('#why .pair img')];
        Promise.all(images.map((image) => image.decode().then(() => image.naturalWidth))).then(done)"""
    assert page.execute_async_script(wide) == [8, 8]
    assert "why=" in page.current_url


def test_neighbours_are_walked_and_the_way_back_is_shown(page):
    open_first_error(page)
    for _ in range(2):
        before = page.current_url
        one(page, ".hit:nth-child(2) a").click()
        settled(page, f"return location.href !== {json.dumps(before)}")
        settled(page)
    assert len(page.find_elements("css selector", ".trail img")) == 3
    assert len(page.find_elements("css selector", ".trail [aria-current=page]")) == 1
    last = page.current_url
    page.get(last)
    page.refresh()  # a deep link opens the same picture
    settled(page)
    assert page.current_url == last
    assert page.find_elements("css selector", ".hit")


def test_a_point_is_opened_by_click_and_by_key(page):
    spot = page.execute_script(
        """const p = explore.plate, i = p.near(p.width / 2, p.height / 2, 1e6), s = p.spot(i);
        const box = p.canvas.getBoundingClientRect();
        return [box.left + s[0], box.top + s[1], i]"""
    )
    actions = webdriver.ActionChains(page)
    actions.w3c_actions.pointer_action.move_to_location(round(spot[0]), round(spot[1])).click()
    actions.perform()
    settled(page, "return location.hash.startsWith('#/picture/')")
    opened = page.execute_script("return explore.space.row(location.hash.split('/')[2].split('?')[0])")
    x, y = page.execute_script("return explore.plate.spot(arguments[0])", opened)
    wanted = page.execute_script("return explore.plate.spot(arguments[0])", spot[2])
    assert abs(x - wanted[0]) + abs(y - wanted[1]) < 4
    page.execute_script("document.activeElement.blur()")
    body = one(page, "body")
    body.send_keys(ESCAPE)
    settled(page, "return location.hash === '#/'")
    body.send_keys("m")
    one(page, "#map").send_keys(RIGHT, RIGHT, ENTER)
    settled(page, "return location.hash.startsWith('#/picture/')")


def test_a_lasso_selects_what_it_goes_around(page, shown):
    one(page, "#lasso").click()
    left, top, wide, high = page.execute_script(
        "const b = explore.plate.canvas.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]"
    )
    shares = ((0, 0), (0.85, 0), (0.85, 1), (0, 1), (0, 0))
    corners = [(left + 3 + x * wide, top + 3 + y * (high - 6)) for x, y in shares]
    expected = page.execute_script(
        """const p = explore.plate, rows = [...p.points.order.keys()];
        return rows.filter((i) => p.spot(i)[0] < 3 + .85 * p.width).length"""
    )
    actions = webdriver.ActionChains(page)
    pointer = actions.w3c_actions.pointer_action
    pointer.move_to_location(*map(round, corners[0])).pointer_down()
    for corner in corners[1:]:
        pointer.move_to_location(*map(round, corner))
    pointer.pointer_up()
    actions.perform()
    settled(page, "return location.hash.startsWith('#/selection')")
    assert page.execute_script("return explore.space.selection.length") == pytest.approx(expected, abs=2)
    assert one(page, "#panel h2").text.endswith("pictures")


def test_the_view_zooms_and_comes_back(page):
    before = page.execute_script("return explore.plate.frame()")
    one(page, "[data-zoom='1.6']").click()
    assert page.execute_script("return explore.plate.frame().ax") == pytest.approx(1.6 * before["ax"])
    one(page, "[data-zoom='0']").click()
    assert page.execute_script("return explore.plate.frame()") == before


def test_dark_is_dark(page):
    sky = lambda: page.execute_script("return explore.plate.paper")  # noqa: E731
    light = sky()
    one(page, "#theme").click()
    assert sum(map(int, sky()[4:-1].split(","))) < 150 < sum(map(int, light[4:-1].split(",")))
    one(page, "#theme").click()
    assert sky() == light


def test_it_fits_a_telephone(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        open_first_error(page)
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        last, before = page.find_elements("css selector", ".hit a")[-1], page.current_url
        page.execute_script("arguments[0].scrollIntoView(); arguments[0].click()", last)
        settled(page, f"return location.href !== {json.dumps(before)}")
        settled(page)
        assert abs(page.execute_script("return document.getElementById('panel').getBoundingClientRect().top")) < 2
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
