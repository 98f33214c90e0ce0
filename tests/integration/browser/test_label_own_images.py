"""The steps of docs/review.md, from a folder of images to a model that suggests, by keyboard alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from page_visit import PageVisit
from review_run import journal, live_answers, review_run, write_images, write_text_job

pytestmark = pytest.mark.browser

KEYS = {"round": "1", "square": "2"}
FIRST_BATCH = 20


def initialised(folder: Path) -> Path:
    """Do what the page tells to do first, and return the job file that came of it."""
    write_images(folder / "my-images", 60)
    command = [sys.executable, "-m", "labelplane_cli", "init", "./my-images", "--classes", "round,square"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "Next:   labelplane run my-images.labelingjob.yaml --review" in done.stdout
    job_file = folder / "my-images.labelingjob.yaml"
    text = job_file.read_text(encoding="utf-8")  # with the encoders that it names where torch is not installed
    job_file.write_text(text.replace("SmallCnn", "Linear").replace("Mlp", "Linear"), encoding="utf-8")
    return job_file


def label_by_keys(visit: PageVisit, *, votes: int) -> dict[str, str]:
    """Answer what is on the screen by its file's name, so often; return the answers by item."""
    given: dict[str, str] = {}
    while len(given) < votes:
        item = visit.item()  # waits where the keys are faster than the server
        given[item] = item.split("-")[0]
        visit.press(KEYS[given[item]])
    return given


def test_a_first_time_user_labels_twenty_images_and_the_model_learns_from_them(browser: Any, tmp_path: Path) -> None:
    job_file, out = initialised(tmp_path), tmp_path / "my-images-out"
    with review_run(job_file) as run, PageVisit(browser, run.link) as visit:
        first = visit.item()
        visit.page.keyboard.press("2" if first.startswith("round") else "1")  # a slip
        visit.wait_for("(before) => document.querySelector('#item-name').textContent !== before", first)
        assert visit.press("u") == first
        assert "your answer before" in visit.text("#classes")
        skipped = visit.item()
        visit.press("s")
        assert visit.press("u") == skipped
        postponed = visit.item()
        assert visit.press("n") != postponed
        given = label_by_keys(visit, votes=FIRST_BATCH)
        assert len(given) == FIRST_BATCH
        # The round is full: the model trains, and suggests for the next.
        visit.page.locator("#tools").wait_for(state="visible", timeout=200_000)
        assert visit.item() not in given
        assert visit.text("#round-text") == "20 of 40 tasks"
        while not visit.page.locator("#suggestion").is_visible():  # hidden for one task in ten
            visit.press("n")
        suggested = visit.text(".class.is-suggested span:not(.mark)")
        agreed = visit.item()
        visit.press("Enter")
        visit.wait_for("() => document.querySelector('#mine').textContent.startsWith('21 ')")
        assert run.stop() == 130
        assert [text for text in visit.complaints if "Failed to load" not in text] == []
        assert {url.split("/")[2] for url in visit.requests} == {run.address.removeprefix("http://")}
    answers = {item: answer for (item, _), answer in live_answers(out).items()}
    assert answers == {**given, agreed: suggested}
    shown = {vote["item_id"]: vote["suggestion_shown"] for vote in journal(out)}
    assert (shown[agreed], shown[first]) == (True, False)


def test_answers_given_while_the_server_is_dead_are_sent_when_it_is_back(browser: Any, tmp_path: Path) -> None:
    job_file, out = initialised(tmp_path), tmp_path / "my-images-out"
    given = {}
    with review_run(job_file) as run, PageVisit(browser, run.link) as visit:
        given |= label_by_keys(visit, votes=5)
        visit.wait_for("() => document.querySelector('#mine').textContent.startsWith('5 ')")
        run.kill()
        given |= label_by_keys(visit, votes=3)
        visit.page.locator("#outbox").wait_for(state="visible")
        visit.wait_for("() => document.querySelector('#outbox').textContent === '3 not sent yet'")
        with review_run(job_file) as again:
            assert again.link == run.link
            visit.page.locator("#outbox").wait_for(state="hidden")
            visit.wait_for("() => document.querySelector('#mine').textContent.startsWith('8 ')")
            given |= label_by_keys(visit, votes=2)
            visit.wait_for("() => document.querySelector('#mine').textContent.startsWith('10 ')")
    assert {item: answer for (item, _), answer in live_answers(out).items()} == given
    votes = journal(out)
    assert len({vote["vote_id"] for vote in votes}) == len(votes) == 10


def test_a_tab_that_is_closed_with_unsent_answers_sends_them_at_the_next_visit(browser: Any, tmp_path: Path) -> None:
    job_file, out = initialised(tmp_path), tmp_path / "my-images-out"
    with review_run(job_file) as run, PageVisit(browser, run.link) as visit:
        visit.item()
        run.kill()
        given = label_by_keys(visit, votes=2)
        visit.wait_for("() => document.querySelector('#outbox').textContent === '2 not sent yet'")
        visit.page.close()
        with review_run(job_file):
            page = visit.context.new_page()
            page.goto(f"{run.address}/t/my-images")
            page.wait_for_function("() => document.querySelector('#mine').textContent.startsWith('2 ')")
    assert {item: answer for (item, _), answer in live_answers(out).items()} == given


def test_the_job_page_shows_rounds_people_and_doubtful_items_live(browser: Any, tmp_path: Path) -> None:
    job_file = initialised(tmp_path)
    with review_run(job_file) as run, PageVisit(browser, run.link) as visit:
        watching = visit.context.new_page()
        watching.goto(f"{run.address}/jobs")
        watching.wait_for_function("() => document.querySelector('#stage').textContent === 'Waiting for people'")
        label_by_keys(visit, votes=FIRST_BATCH)
        watching.wait_for_function("() => document.querySelector('#votes').textContent === '20'")
        watching.wait_for_function("() => document.querySelectorAll('#doubtful li').length > 0", timeout=200_000)
        assert watching.locator("#people tr").count() == 1
        assert "20" in watching.locator("#people tr").inner_text()
        assert watching.locator("#doubtful img").first.evaluate("(image) => image.decode().then(() => true)")


def test_the_page_says_when_the_job_is_complete_and_what_it_waits_for_before(browser: Any, tmp_path: Path) -> None:
    job_file = write_text_job(tmp_path, [f"text {n}" for n in range(12)], classes=["cat", "dog"], batch=6)
    text = job_file.read_text(encoding="utf-8")
    job_file.write_text(text.replace("votesPerItem: 1", "votesPerItem: 2").replace("votes: 6", "votes: 12"))
    with review_run(job_file) as run:
        for name in ("Ada", "Ben"):
            with PageVisit(browser, run.link) as visit:
                visit.page.locator("#open-name").click()
                visit.page.locator("#name-input").fill(name)
                with visit.page.expect_navigation():
                    visit.page.keyboard.press("Enter")
                for number in range(6):
                    visit.item()
                    visit.press("1" if number % 2 else "2")
                want = "6 tasks wait for other people (each item wants 2)" if name == "Ada" else "the job is complete"
                visit.wait_for("(want) => document.querySelector('#empty').textContent.includes(want)", want)
        assert run.process.wait() == 0
