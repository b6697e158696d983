"""The explorer over HTTP: what it answers equals what is computed by hand, and what it must not do it does not."""

import base64
import copy
import dataclasses
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from isometry.explore.app import FILES, app
from isometry.expression import parse
from isometry.model import Embedder
from tests.explore.conftest import png


def columns(client, shown, model=0):
    """The columns of the points, as the page reads them."""
    n, content, start, found = len(shown.items), client.get(f"/api/points/{model}").content, 0, {}
    for name, kind in (("ids", "<f8"), ("labels", "<i4"), ("x", "<u2"), ("y", "<u2"), ("groups", "<i2")):
        found[name] = np.frombuffer(content, kind, n, start)
        start += n * np.dtype(kind).itemsize
    found["right"] = np.frombuffer(content, "i1", n * len(shown.spaces), start).reshape(-1, n)
    assert start + n * len(shown.spaces) == len(content)
    return found


def by_hand(shown, row, rows, k, model=0):
    """The k most similar rows, by a matrix product."""
    z = torch.nn.functional.normalize(shown.spaces[model].z.double(), dim=1)
    sim = z @ z[row]
    sim[row] = -torch.inf
    outside = torch.ones(len(z), dtype=torch.bool)
    outside[rows] = False
    sim[outside] = -torch.inf
    return sim.argsort(descending=True)[:k].tolist(), sim


def test_the_page_loads_its_own_files_and_nothing_else(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    linked = set(re.findall(r'(?:src|href)="(/[^"]*)"', page.text))
    assert linked
    for name in FILES[1:]:
        file = client.get(f"/files/{name}")
        assert file.status_code == 200, name
        outward = re.findall(r"https?://[^\s\"')]+", file.text)
        assert set(outward) <= {"http://www.w3.org/2000/svg"}, name
    assert linked <= {f"/files/{name}" for name in FILES}
    assert not re.search(r"<script(?![^>]*src)|style=|onclick=", page.text)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_is_not_this_machines_is_refused(client, host):
    for path in ("/", "/api/about", "/api/picture/1"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 403
        assert "digit" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost:8050", "[::1]:8050", "192.168.1.9"])
def test_addresses_and_localhost_are_this_machine(client, host):
    assert client.get("/api/about", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_another_site_gets_nothing(client, headers, noise):
    assert client.get("/api/picture/0", headers=headers).status_code == 403
    assert client.post("/api/search", content=noise, headers=headers).status_code == 403


def test_a_link_from_another_site_opens_the_page_only(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/api/about", headers=headers).status_code == 403


def test_what_is_shown_is_said(client, shown):
    about = client.get("/api/about").json()
    assert about["n"] == 240
    assert [(part["name"], part["stop"] - part["start"]) for part in about["parts"]] == [
        ("train", 96), ("validation", 48), ("test", 96),
    ]  # fmt: skip
    assert [model["name"] for model in about["models"]] == ["first", "second"]
    assert [model["right"] + model["wrong"] for model in about["models"]] == [240, 240]
    assert len(about["classes"]) == 20


def test_points_are_those_of_the_embeddings(client, shown):
    for model in (0, 1):
        found = columns(client, shown, model)
        assert found["ids"].astype(int).tolist() == shown.items.ids.tolist()
        assert found["labels"].tolist() == shown.items.labels.tolist()
        xy = shown.spaces[model].xy.numpy()
        np.testing.assert_allclose(found["x"] / 65535, xy[:, 0], atol=1e-5)
        np.testing.assert_allclose(found["y"] / 65535, xy[:, 1], atol=1e-5)


def test_verdicts_are_those_of_the_nearest_other_picture_of_the_part(client, shown):
    found = columns(client, shown)["right"]
    for part in shown.items.parts:
        rows = range(part.start, part.stop)
        for model in (0, 1):
            for row in list(rows)[::7]:
                (first,), sim = by_hand(shown, row, rows, 1, model)
                second = sim.sort(descending=True).values[1]
                if float(sim[first] - second) > 1e-6:
                    assert found[model][row] == int(shown.items.labels[first] == shown.items.labels[row])


@pytest.mark.parametrize("among", ["", "all", "train", "test"])
def test_neighbours_are_those_of_exact_search(client, shown, among):
    row = 200
    part = {part.name: part for part in shown.items.parts}[among if among in ("train", "test") else "test"]
    rows = range(240) if among == "all" else range(part.start, part.stop)
    answer = client.get(f"/api/near/{int(shown.items.ids[row])}", params={"k": 9, "among": among}).json()
    assert answer["searched"] == len(rows)
    assert answer["part"] == "test"
    ids = shown.items.ids.tolist()
    for model, matches in enumerate(answer["models"]):
        assert [match["id"] for match in matches] == [str(ids[i]) for i in by_hand(shown, row, rows, 9, model)[0]]
        scores = [match["score"] for match in matches]
        assert scores == sorted(scores, reverse=True)
        for match in matches:
            assert match["right"] == int(match["label"] == answer["label"])


def test_an_uploaded_picture_finds_itself(client, shown, picture):
    row = 150
    answer = client.post("/api/search", content=picture(int(shown.items.ids[row])))
    assert answer.status_code == 201
    name = answer.json()["name"]
    found = client.get(f"/api/near/{name}", params={"k": 3}).json()
    assert found["searched"] == 240
    for matches in found["models"]:
        assert matches[0]["id"] == str(int(shown.items.ids[row]))
        assert matches[0]["score"] == pytest.approx(1, abs=1e-4)
        assert {match["right"] for match in matches} == {-1}
    assert client.get(f"/api/picture/{name}").headers["content-type"] == "image/png"


def test_pictures_are_those_of_the_data(client, shown, picture):
    for row in (0, 120, 239):
        id = int(shown.items.ids[row])
        made = Image.open(io.BytesIO(client.get(f"/api/picture/{id}").content))
        assert np.array_equal(np.asarray(made.convert("L")), np.asarray(Image.open(io.BytesIO(picture(id)))))


@pytest.mark.parametrize(
    "name", ["240", "-1", "1.5", "%2e%2e%2fetc%2fpasswd", "..%5c..", "u0123456789abcdef", "9" * 30, "٣", "table.csv"]
)
def test_a_picture_is_had_by_its_number_or_not_at_all(client, name):
    for path in (f"/api/picture/{name}", f"/api/near/{name}", f"/api/why/{name}/1"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/files/../app.py", "/files/%2e%2e/app.py", "/files//etc/passwd", "/page/map.js"])
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("query", ["k=0", "k=101", "k=x", "k=-1", "k=999999999999", "among=nowhere"])
def test_what_cannot_be_is_said_in_one_line(client, query):
    answer = client.get(f"/api/near/1?{query}")
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"hello", 415), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415), (b"\x89PNG\r\n\x1a\n" + b"0" * 50, 422)],
)  # fmt: skip
def test_what_is_no_picture_is_refused(client, content, status):
    answer = client.post("/api/search", content=content)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_picture_that_the_model_cannot_take_is_refused_in_one_line(runs, shown):
    """Its model's transform leaves pictures as they are: one of another size does not fit, or would cost too much."""
    testclient = pytest.importorskip("starlette.testclient", reason="the test client needs httpx", exc_type=ImportError)
    fixed = tuple(dataclasses.replace(space, model=fixed_size(space.model)) for space in shown.spaces)
    with testclient.TestClient(app(dataclasses.replace(shown, spaces=fixed)), base_url="http://127.0.0.1") as client:
        for side in (12, 40):
            answer = client.post("/api/search", content=png(Image.new("L", (side, side))))
            assert answer.status_code == 422
            assert f"{side}×{side}" in answer.json()["error"]
        assert client.post("/api/search", content=png(Image.new("L", (8, 8)))).status_code == 201


def fixed_size(ready):
    """The same model, whose head takes the places of its 8 × 8 pixels one by one."""
    made = copy.copy(ready)
    made.transform = parse("Same()")
    made.model = Embedder.parse("ConvNet(widths=(8, 16), size=8)", "Flatten()", "Linear(dim=8)").eval()
    return made


def test_an_upload_that_is_too_large_is_refused(client):
    assert client.post("/api/search", content=b"\x89PNG\r\n\x1a\n" + bytes(17_000_000)).status_code == 413


def test_old_uploads_are_forgotten(shown, noise):
    from isometry.explore.images import Upload, Uploads

    held = Uploads(held=2)
    names = [held.add(Upload(None, ())) for _ in range(3)]
    assert [held.get(name) is None for name in names] == [True, False, False]
    assert len(set(names)) == 3


def test_a_match_is_explained_over_both_pictures(client, shown, noise):
    name = client.post("/api/search", content=noise).json()["name"]
    for model in (0, 1):
        first = client.get(f"/api/near/{name}").json()["models"][model][0]
        why = client.get(f"/api/why/{name}/{first['id']}", params={"model": model}).json()
        assert why["score"] == pytest.approx(first["score"], abs=1e-3)
        sizes = [Image.open(io.BytesIO(base64.b64decode(heat.partition(",")[2]))).size for heat in why["heat"]]
        assert sizes == [(30, 40), (8, 8)]
    assert client.get(f"/api/why/{name}/1", params={"model": 2}).status_code == 400
