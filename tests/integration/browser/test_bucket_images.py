"""Images of a bucket come to the browser from the bucket, under a policy that allows it and nothing more."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from page_visit import PageVisit
from review_run import review_run, write_images, write_text_job
from s3_server import ACCESS_KEY, SECRET_KEY, running_s3_server

from labelplane_core.storage import StoreOptions, open_store

pytestmark = pytest.mark.browser

LOAD = """(url) => new Promise((done) => {
  const image = new Image();
  image.onerror = () => done('refused');
  image.onload = () => done('loaded');
  image.src = url;
})"""


async def upload(files: dict[str, bytes], uri: str, options: StoreOptions) -> None:
    store = open_store(uri, options=options)
    for name, data in files.items():
        await store.put(name, data)


def bucket_job(folder: Path, *, uri: str, endpoint: str) -> Path:
    """Write a job whose images lie in a bucket, with the keys in a Secret beside it."""
    job_file = write_text_job(folder, ["unused"], classes=["round", "square"])
    job = yaml.safe_load(job_file.read_text(encoding="utf-8"))
    spec = job["spec"]
    spec["task"]["type"] = "ImageClassification"
    spec["dataset"] = {"uri": uri, "format": "ClassFolders"}
    spec["storage"] = {"uri": "s3://results", "pathStyle": True, "endpoint": endpoint, "credentialsSecret": "keys"}
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": keys}
    job_file.write_text(yaml.safe_dump_all([job, secret], sort_keys=False), encoding="utf-8")
    return job_file


def test_images_come_from_the_bucket(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "images", 24)
    images = {path.name: path.read_bytes() for path in (tmp_path / "images").iterdir()}
    with running_s3_server(tmp_path / "s3") as server:
        server.make_bucket("results")
        with ThreadPoolExecutor() as threads:  # this one's event loop is Playwright's
            threads.submit(asyncio.run, upload(images, server.make_bucket("items"), server.options)).result()
        monkeypatch.setenv("LABELPLANE_ITEMS_ENDPOINT", server.endpoint)
        with (
            review_run(bucket_job(tmp_path / "job", uri="s3://items", endpoint=server.endpoint), cwd=tmp_path) as run,
            PageVisit(browser, run.link) as visit,
        ):
            visit.item()
            visit.wait_for("() => document.querySelector('#image').naturalWidth === 96")
            from_bucket = [url for url in visit.requests if url.startswith(f"{server.endpoint}/items/")]
            assert from_bucket
            assert all("X-Amz-Signature=" in url for url in from_bucket)
            assert visit.complaints == []
            elsewhere = f"{server.endpoint.replace('127.0.0.1', 'localhost')}/x.png"
            assert visit.page.evaluate(LOAD, elsewhere) == "refused"
            assert any("Content Security Policy" in text for text in visit.complaints)
