"""The patient person of the fault suite, before pages that change under the hand."""

import time

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from lab.chaos.people.loading import load_everything
from lab.rig.programs import chromium

PAGE = """
<div id="scroll"><p><span id="older-text"></span><button id="older-retry" hidden></button></p>
<ol id="transcript"></ol></div>
<script>
const older = document.getElementById("older-text"), list = document.getElementById("transcript");
older.textContent = "Loading older messages";
const item = (html, state) => {
  const made = document.createElement("li");
  made.className = state ? "item skip" : "item prompt";
  if (state) made.dataset.state = state;
  made.innerHTML = html;
  list.append(made);
  return made;
};
const begin = () => { older.textContent = "The beginning of this chat"; };
const loaded = (skip) => {
  skip.dataset.state = "loaded";
  skip.querySelector("button").hidden = true;
};
%s
</script>
"""
# Loading began before the person looked, as after a click of its own; it takes longer than a click
# may wait.
LOADS_ALREADY = """
const skip = item("<button aria-disabled=true>Loading 1 of 9</button>", "loading");
setTimeout(() => { loaded(skip); begin(); }, 3000);
"""
# The button is replaced again and again, and at last by one that stays.
FLEES = """
let skip = item("<button>Show them</button>", "open"), left = 30;
const timer = setInterval(() => {
  skip.remove();
  skip = item("<button>Show them</button>", "open");
  skip.style.marginTop = `${left * 9}px`;
  if (left-- > 0) return;
  clearInterval(timer);
  skip.onclick = () => { loaded(skip); begin(); };
}, 100);
"""
# Slower than the person's patience, but something comes all the time.
SLOW = """
let count = 0;
const timer = setInterval(() => {
  item("a prompt");
  if (++count === 12) { clearInterval(timer); begin(); }
}, 400);
"""
# Called loaded, while a request is under way whose answer puts the transcript in order.
LEARNS = """
const skip = item("<button>Show them</button>", "open");
skip.onclick = () => {
  window.chaosReads = () => 1;
  loaded(skip);
  begin();
  setTimeout(() => { item("<b id=learnt>a prompt</b>"); window.chaosReads = () => 0; }, 1000);
};
"""
FAILS = """
const skip = item("<button>Show them</button>", "open");
skip.onclick = () => {
  skip.dataset.state = "loading";
  setTimeout(() => {
    skip.dataset.state = "failed";
    skip.firstChild.textContent = "Loading failed";
  }, 50);
};
begin();
"""
COVERED = """
item("<button>Show them</button>", "open").onclick = () => begin();
document.body.insertAdjacentHTML("beforeend", "<div style='position:fixed;inset:0'></div>");
"""


@pytest_asyncio.fixture
async def page():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        yield await browser.new_page()
        await browser.close()


@pytest.mark.parametrize("script", [LOADS_ALREADY, FLEES], ids=["loads already", "flees"])
async def test_a_list_that_changes_under_the_hand_is_loaded_all_the_same(page, script):
    await page.set_content(PAGE % script)
    assert await load_everything(page, stall_s=30) == ""


async def test_a_slow_page_has_time_as_long_as_something_comes(page):
    await page.set_content(PAGE % SLOW)
    began = time.monotonic()
    assert await load_everything(page, stall_s=3) == ""
    assert time.monotonic() - began > 3


async def test_the_end_waits_for_the_requests_that_are_under_way(page):
    await page.set_content(PAGE % LEARNS)
    assert await load_everything(page, stall_s=30) == ""
    assert await page.locator("#learnt").count() == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [(FAILS, "Loading failed"), (COVERED, "a click missed")],
    ids=["fails", "covered"],
)
async def test_what_never_comes_is_a_broken_promise_and_says_why(page, script, words):
    await page.set_content(PAGE % script)
    assert words in await load_everything(page, stall_s=2)
