"""Take the docs' pictures of the web page: `make screenshots`.

The jobs on them are real and run while the pictures are taken; the counts of the hour before are
made up, and so is the pool.
"""

import asyncio
import math
import random
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.integration.path.conftest import System, until
from tests.integration.web.conftest import CHROMIUM, FLAGS

from zerog.ledger.counts import WAITS
from zerog.ledger.tally import minute_key, shard_key
from zerog.store import open_datastore

DEMO = Path(__file__).with_name("demo_jobs.py")
WIDTH, HEIGHT, SCALE = 1200, 800, 1.5
#: Colours of a picture: a page has few, and the files stay small.
COLOURS = 256
DESKTOP = {"viewport": {"width": WIDTH, "height": HEIGHT}, "device_scale_factor": SCALE}
PHONE = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": SCALE, "has_touch": True}
POOL = {
    "namespace": "shop", "name": "media", "queue": "media", "minReplicas": 0, "maxReplicas": 50,
    "replicas": 1, "readyReplicas": 1, "desiredReplicas": 1, "busy": 1, "ready": "True",
    "decision": "2 jobs are there: 1 worker starts them within 10 s", "message": "",
}  # fmt: skip


async def make_up(url: str) -> None:
    """Write the counts of the last hour, and a pool."""
    store = await open_datastore(url)
    drawn = random.Random(7)
    now = time.time()
    for back in range(60, 0, -1):
        document = {}
        for queue, size in (("media", 30), ("default", 60), ("reports", 4)):
            busy = size * (1.2 + math.sin(back / 9)) * drawn.uniform(0.8, 1.2)
            done, failed = int(busy), int(busy * drawn.choice([0, 0, 0.01, 0.05, 0.1]))
            waited = 0.02 + max(0.0, math.sin(back / 9)) ** 3 * drawn.uniform(1, 3)
            document[f"{queue} Job"] = {
                "accepted": done + drawn.randrange(3), "started": done, "succeeded": done - failed,
                "failed": failed, "waited": int(waited * 600 * done), WAITS.of(waited): done,
                "ended": done, "ran": done * 900,
            }  # fmt: skip
        key = shard_key(minute_key(now - 60 * back), 0)
        await store.upsert("stats", key, document, expire_seconds=7200)
    await store.upsert("pools", "shop::media", POOL, expire_seconds=600)
    await store.close()


def prepare(system: System) -> dict[str, str]:
    """Start everything and submit jobs; return the UUIDs of those that are looked at."""
    system.beanstalkd.start()
    system.start_api()
    system.start("worker", str(DEMO), "--slots", "2")
    client = system.client
    until(lambda: len(client.types()) == 3, what="the types are registered")
    asyncio.run(make_up(system.store))
    for number in range(1, 15):
        client.submit("Invoice", {"number": number})
    report = client.submit("MonthlyReport", {"month": "2026-10"})
    client.wait(report, 60)
    running = client.submit("Thumbnails", {"picture": "https://shop.example/p/1815.jpg"})
    client.submit("Thumbnails", {"picture": "https://shop.example/p/1843.jpg"})
    until(lambda: client.progress(running)["completeness"] > 0.2, what="a job runs")
    return {"report": report, "running": running}


def take(browser: Browser, folder: Path, name: str, url: str, **options: object) -> None:
    """Take one picture."""
    settings: dict[str, object] = {**DESKTOP, **options}
    context = browser.new_context(**settings)  # type: ignore[arg-type]
    page: Page = context.new_page()
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle") if "docs" in url else page.wait_for_timeout(1200)
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    Image.open(path).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=4).save(
        path, optimize=True
    )


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        system = System(Path(temporary))
        try:
            jobs = prepare(system)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                page = f"http://127.0.0.1:{system.port}/#"
                take(browser, folder, "web-job", f"{page}/jobs/{jobs['running']}")
                take(browser, folder, "web-overview", f"{page}/")
                take(browser, folder, "web-overview-dark", f"{page}/", color_scheme="dark")
                take(browser, folder, "web-phone", f"{page}/jobs/{jobs['running']}", **PHONE)
                take(browser, folder, "web-jobs", f"{page}/jobs")
                take(browser, folder, "web-attempts", f"{page}/jobs/{jobs['report']}")
                take(browser, folder, "web-run", f"{page}/run/Thumbnails")
                browser.close()
        finally:
            system.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
