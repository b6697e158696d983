"""The explorer in a real browser: how fast the map moves, and its picture for the docs. Needs chromium and chromedriver.

    python benchmarks/explore.py [--points 100000]
    python benchmarks/explore.py --run runs/demo --other runs/short --of 17291 --picture docs/images/explore.png

Without `--run`, points are drawn at random in clusters (2,000 classes of 64 dimensions), opened as a run would be, and the map is
dragged and zoomed for 60 frames each while a script in the page measures: `frame` is the time between two frames that the
browser shows, `drawing` what the page itself took of it. At rest all points are drawn; while it moves, as many as fit.
"""

import argparse
import io
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

import torch
import uvicorn
from PIL import Image
from selenium import webdriver

from isometry.explore import Items, Part, Shown, Space, app, opened
from isometry.explore.layout import places
from isometry.explore.server import listening
from isometry.explore.truth import verdicts
from isometry.ops.ranking import inner

MOVES = {
    "at rest": "p.settle()",
    "dragged": "p.pan(k % 20 < 10 ? 9 : -9, 4 * Math.sin(k))",
    "zoomed in": "p.zoom(1.03)",
    "zoomed out": "p.zoom(1 / 1.03)",
}
MEASURE = """const done = arguments[0], p = explore.plate, frames = [], own = []; let k = 0, last = 0;
function step(now) {
  if (last) { frames.push(now - last); own.push(p.stats.ms); }
  last = now;
  if (++k > 60) return done([frames, own, p.stats.drawn]);
  MOVE;
  requestAnimationFrame(step);
}
requestAnimationFrame(step);"""


def drawn(n, classes=2000, dim=64):
    """A set of n points in clusters, with a coloured square as the picture of each."""
    noise = torch.Generator().manual_seed(0)
    centres = (
        torch.randn(classes, dim, generator=noise)
        + 2 * torch.randn(12, dim, generator=noise)[torch.arange(classes) % 12]
    )
    labels = torch.randint(0, classes, (n,), generator=noise)
    z = torch.nn.functional.normalize(centres[labels] + 0.9 * torch.randn(n, dim, generator=noise), dim=1)
    picture = lambda row: Image.new("RGB", (48, 48), f"hsl({int(labels[row]) * 7 % 360}, 60%, 55%)")  # noqa: E731
    names = tuple(f"class {c}" for c in range(classes))
    items = Items(ids=torch.arange(n), labels=labels, classes=names, parts=(Part("all", 0, n),), picture=picture)
    start = time.perf_counter()
    xy, how = places(z, labels, inner)
    print(f"map of {n:,} points: {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    right = verdicts(z, items, inner, pairs=2 * 10**9)
    print(f"verdicts on {int((right >= 0).sum()):,} of them: {time.perf_counter() - start:.1f} s")
    space = Space(
        name="drawn", model=None, z=z, ready=lambda x: x, compare=inner, similarity="dot", xy=xy, how=how, right=right
    )
    return Shown(name="drawn", items=items, spaces=(space,), folder=Path(tempfile.mkdtemp()))


def browser(width, height):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"window-size={width},{height}"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.set_script_timeout(120)
    return driver


def settled(driver):
    ready = "return document.body.classList.contains('ready') && !document.querySelector('[aria-busy=true]')"
    while not driver.execute_script(f"{ready} && explore.plate.pictures.loading === 0"):
        time.sleep(0.1)
    time.sleep(0.5)


def moved(driver, points):
    """A table of how long frames take."""
    print(
        "\n| | points drawn | frame, median ms | frame, slowest of ten ms | drawing, median ms |\n|---|---|---|---|---|"
    )
    for name, move in MOVES.items():
        frames, own, seen = driver.execute_async_script(MEASURE.replace("MOVE", move))
        slow = statistics.quantiles(frames, n=10)[-1]
        row = f"{seen:,} of {points:,} | {statistics.median(frames):.1f} | {slow:.1f} | {statistics.median(own):.1f}"
        print(f"| {name} | {row} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--run", default="")
    parser.add_argument("--other", default="")
    parser.add_argument("--of", default="", help="The id of the picture to open.")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    shown = opened(given.run, given.other) if given.run else drawn(given.points)
    with listening("127.0.0.1", 0) as taken:
        server = uvicorn.Server(uvicorn.Config(app(shown), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        driver = browser(1400, 900)
        try:
            start = time.perf_counter()
            driver.get(f"http://127.0.0.1:{taken.getsockname()[1]}/#/{given.of and 'picture/' + given.of}")
            settled(driver)
            print(f"page ready after {time.perf_counter() - start:.1f} s")
            if given.picture:
                image = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
                image.quantize(192, dither=Image.Dither.NONE).save(given.picture, optimize=True)
            else:
                moved(driver, len(shown.items))
        finally:
            driver.quit()
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    main()
