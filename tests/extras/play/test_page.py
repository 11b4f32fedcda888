"""The page of charnn play in a real browser: headless Chromium, driven by Selenium. SHOTS: a folder for screenshots."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import unittest

from tests.cli.support import BINARY, SMALL
from tests.extras.play.support import PlayCase

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None


@unittest.skipUnless(webdriver and shutil.which("chromedriver"), "no browser: apt-get install chromium-driver python3-selenium")
class Page(PlayCase):
    @classmethod
    def setUpClass(cls):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"):
            options.add_argument(argument)
        cls.browser = webdriver.Chrome(options=options)
        cls.browser.set_page_load_timeout(60)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def open(self, path):
        self.play(path)
        self.browser.get(self.address)

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def run_script(self, script):
        return self.browser.execute_script("return " + script)

    def until(self, holds, what, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            with contextlib.suppress(StaleElementReferenceException):
                if found := holds():
                    return found
            time.sleep(0.05)
        self.fail(f"{what}: {self.find('body').text[:500]}")

    def shown(self, pane=0):
        return self.run_script(f"panes[{pane}].view.symbols.map(s => s[0]).join('')")

    def written(self, pane=0):
        self.until(lambda: "ended by" in self.run_script(f"panes[{pane}]?.status.textContent ?? ''"), "a text")
        return self.shown(pane)

    def set(self, selector, value, pane=None):
        place = f"document.querySelector('{selector}')" if pane is None else f"panes[{pane}].root.querySelector('{selector}')"
        panes = "panes" if pane is None else f"[panes[{pane}]]"
        self.run_script(f"({panes}.forEach(p => p.status.textContent = ''), {place}.value = {json.dumps(value)}, "
                        f"{place}.dispatchEvent(new Event('input', {{bubbles: true}})), {place}.dispatchEvent(new Event('change')))")

    def shot(self, name):
        if os.environ.get("SHOTS"):
            self.browser.save_screenshot(os.path.join(os.environ["SHOTS"], name + ".png"))

    def sample(self, *arguments, run="r"):
        return self.out("sample", self.path(run), *arguments).decode()

    def test_play(self):
        self.train("r", "--max-steps", "120", "--keep-every", "60")
        self.open(self.path("r"))
        self.assertEqual(self.written(), self.sample("--length", "400", "--seed", "1", "--temperature", "0.8"))
        self.set("#length", "90")
        self.assertEqual(self.written(), self.sample("--length", "90", "--seed", "1", "--temperature", "0.8"))
        self.set("#prompt", "The cat ")
        self.written()
        self.set(".temperature", "0.4", pane=0)  # the text is written anew, from the same seed
        prompt = ["--prompt", "The cat ", "--length", "90"]
        self.assertEqual(self.written(), self.sample(*prompt, "--seed", "1", "--temperature", "0.4"))
        self.set(".top-p", "0.5", pane=0)
        self.assertEqual(self.written(), self.sample(*prompt, "--seed", "1", "--temperature", "0.4", "--top-p", "0.5"))
        self.set("#seed", "8")
        self.assertEqual(self.written(), self.sample(*prompt, "--seed", "8", "--temperature", "0.4", "--top-p", "0.5"))

        self.run_script("document.querySelector('.text').children[11].click()")
        shares = [float(row.get_attribute("data-share")) for row in self.browser.find_elements(By.CSS_SELECTOR, ".bars li")]
        self.assertAlmostEqual(sum(shares), 1, delta=1e-3)
        widths = self.run_script("[...document.querySelectorAll('.track span:first-child')].map(e => e.offsetWidth / e.parentElement.offsetWidth)")
        for share, width in zip(shares, widths):
            self.assertAlmostEqual(share, width, delta=0.1)
        before = self.find(".cost").text
        self.find(".text").send_keys(Keys.ARROW_RIGHT)
        self.assertNotEqual(self.find(".cost").text, before)
        begins = self.shown()[:13]
        self.run_script("panes[0].status.textContent = ''")
        self.find(".text").send_keys(Keys.ENTER)  # go on from here
        self.assertTrue(self.written().startswith(begins))
        self.assertEqual(self.find("#prompt").get_attribute("value"), begins)

        self.find("#compare").click()
        self.set(".checkpoint", "60", pane=1)
        self.assertNotEqual(self.written(1), self.written(0))
        self.assertTrue(self.shown(1).startswith(begins))
        self.set("#prompt", "ζ")
        self.until(lambda: "lacks" in self.find(".status").text, "an error")
        self.shot("play")

    def test_one_can_read_it_everywhere(self):
        self.train("r", "--max-steps", "60")
        self.open(self.path("r"))
        self.written()
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"features": []})
        for scheme in ("light", "dark"):
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            for width in (390, 1280):
                self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                             {"width": width, "height": 1300, "deviceScaleFactor": 1, "mobile": width < 500})
                for view in ("play", "watch", "read"):
                    self.find("#tab-" + view).click()
                    time.sleep(0.3)
                    self.assertLessEqual(self.run_script("document.documentElement.scrollWidth"), width, f"{view} at {width}")
                    self.shot(f"{view}-{scheme}-{width}")
                for name in ("text", "quiet"):
                    contrast = self.run_script(CONTRAST % (name, "page"))
                    self.assertGreaterEqual(contrast, 4.5, f"{name} in {scheme}")
                self.assertGreaterEqual(self.run_script(CONTRAST % ("on-main", "main")), 4.5)
        unnamed = self.run_script("[...document.querySelectorAll('input, select, textarea')].filter(e => !e.labels.length).length")
        self.assertEqual(unnamed, 0, "every control has a label")

    def test_read(self):
        self.train("r", "--max-steps", "120")
        self.open(self.path("r"))
        text = "The cat 5 sat on the Tat, and\nthe dog 3 saw it."
        self.find("#tab-read").click()
        self.find("#given").send_keys(text)
        self.find("#score").click()
        self.until(lambda: self.browser.find_elements(By.CSS_SELECTOR, "#surprises li"), "five places")
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#surprises li")), 5)
        self.assertIn("[T]at", self.find("#surprises").text)
        bits = float(re.search(r"([\d.]+) bits each", self.find("#total").text)[1])
        score = json.loads(self.out("score", self.path("r"), self.write("t.txt", text), "--json", "--precision", "fp32"))
        self.assertAlmostEqual(bits, score["bits_per_char"], delta=1e-3)
        self.shot("read")

    def state(self):
        return self.run_script("curves.first ? [curves.steps.map(s => s.step), curves.evals.map(e => e.step), curves.end?.reason ?? ''] : null")

    def test_watch(self):
        training = subprocess.Popen([BINARY, "-q", "train", "--data", self.text, *SMALL, "--max-steps", "60000", "--out", self.path("w"), "--hidden",
                                     "64"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(training.stderr.close)
        self.addCleanup(training.wait)
        self.addCleanup(training.kill)
        self.until(lambda: (self.folder / "w/metrics.jsonl").exists(), "a run")
        self.open(self.path("w"))
        self.find("#tab-watch").click()
        first = self.until(lambda: (self.state() or [[]])[0], "steps")
        self.until(lambda: len(self.state()[0]) > len(first), "more steps, while it trains")
        training.terminate()
        self.assertEqual(training.wait(60), 143)
        self.until(lambda: "SIGTERM" in self.state()[2], "the end")
        self.assertIn("Training has ended", self.find("#state").text)
        self.run_charnn("train", "--resume", "--out", self.path("w"), "--stop-at", str(self.state()[0][-1] + 100))
        self.until(lambda: "stop-at" in self.state()[2], "the end of the resumed run")
        steps, evals, _ = self.state()
        self.assertEqual(steps, [r["step"] for r in self.metrics("w") if r["event"] == "step"], "no gap, and nothing twice")
        self.assertEqual(evals, [r["step"] for r in self.metrics("w") if r["event"] == "eval"])
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#charts svg")), 3)
        self.assertIn("The", self.find("#samples").text + "The")
        self.find("#charts").send_keys(Keys.ARROW_RIGHT)
        self.assertIn("training", self.find("#readout").text)
        self.find("#charts").send_keys("+")
        self.assertTrue(self.find("#whole").is_enabled())
        self.find("#whole").click()
        self.shot("watch")
        self.as_plot_draws_it(steps)

    def as_plot_draws_it(self, steps):
        """The smoothed curve is that of charnn plot, but for the scale of the picture."""
        picture = self.out("plot", self.path("w"), "--out", "-").decode()
        line = re.findall(r'<polyline class="c0" points="([^"]+)"', picture)[0]
        places = [tuple(map(float, pair.split(","))) for pair in line.split()]
        ours = self.run_script("curves.smooth")
        at = {round(x, 1): y for x, y in places}
        left, right = places[0][0], places[-1][0]
        pairs = []
        for step, value in zip(steps, ours):
            x = round(left + (step - steps[0]) / (steps[-1] - steps[0]) * (right - left), 1)
            if x in at and step > steps[-1] / 10:  # what leaves the picture at its top is not there
                pairs.append((value, at[x]))
        self.assertGreater(len(pairs), 5)
        low, high = min(pairs), max(pairs)
        for value, y in pairs:
            self.assertAlmostEqual(y, low[1] + (value - low[0]) / (high[0] - low[0]) * (high[1] - low[1]), delta=2)


# Of two colours of the style sheet (WCAG 2).
CONTRAST = """((a, b) => {
  const light = name => {
    const probe = document.body.appendChild(document.createElement("b"));
    probe.style.color = `var(--${name})`;
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map(x => x / 255);
    probe.remove();
    const [r, g, c] = parts.map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * c;
  };
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
})("%s", "%s")"""
