"""A browser, and somebody before it."""

import os
import shutil
import time

import numpy as np
import pytest
from waiting import HANG

CHROMIUM = os.environ.get("DDEAL_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium; without one, or without playwright, the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium (DDEAL_CHROMIUM names one)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=1000 * HANG
        )
        yield browser
        browser.close()


class Person:
    """Sits before the page; complains of every error that the browser sees."""

    def __init__(self, browser, served, **options):
        self.served = served
        self.context = browser.new_context(accept_downloads=True, **options)
        self.context.set_default_timeout(1000 * HANG)
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(served.client.address)
        self.at_frame(0)

    def leave(self):
        self.context.close()
        assert self.errors == []

    def at_frame(self, index):
        self.page.wait_for_selector(f'#picture[data-frame="{index}"]')

    def state(self):
        return self.served.client.get("/api/project").json

    def until(self, holds):
        """The state of which that holds; what is asked of the page may stand in its place."""
        deadline = time.monotonic() + HANG
        while not holds(state := self.state()):
            assert time.monotonic() < deadline, state
            self.page.wait_for_timeout(30)
        return state

    def place(self, x, y):
        """Where a pixel of the frame is on the screen."""
        return self.page.evaluate(
            """async ([x, y]) => {
                const stage = await import("/static/stage.js");
                const corner = stage.picture.getBoundingClientRect();
                const [left, top] = stage.toScreen(x, y);
                return [left + corner.left, top + corner.top];
            }""",
            [x, y],
        )

    def drag(self, *points, button="left"):
        self.page.mouse.move(*self.place(*points[0]))
        self.page.mouse.down(button=button)
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=4)
        self.page.mouse.up(button=button)

    def box(self, mask):
        y, x = np.nonzero(mask)
        self.drag((x.min() - 2.0, y.min() - 2.0), (x.max() + 3.0, y.max() + 3.0))

    def shown(self, index):
        return self.served.studio.project.shown(index)


@pytest.fixture
def sit(chromium):
    """`sit(served, **options) -> Person`: opens the page."""

    def call(served, **options):
        return Person(chromium, served, **options)

    return call
