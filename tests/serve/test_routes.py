"""What the server answers is what the library gives; what is wrong gets one line and a status."""

import asyncio
import json
import threading
import tracemalloc

import pytest
import torch
from PIL import Image
from starlette.requests import Request

from isometry import index, openset
from isometry.serve import Limits, Refused
from isometry.serve.gate import Replay
from isometry.serve.uploads import vectors
from tests.serve.conftest import RAW, client_of, form
from tests.serve.hostile import PICTURES, REFUSED, WHOLE


def same(found, matches):
    """Whether the server's matches are the library's."""
    assert [one["id"] for one in found] == [match.id for match in matches]
    assert [one["label"] for one in found] == [match.label for match in matches]
    assert [one["score"] for one in found] == pytest.approx([match.score for match in matches], abs=1e-5)


# what the library gives


def test_embeddings_are_those_of_the_library(reading, made, pictures):
    z = index.read(made / "gallery").model(pictures[:5])
    together = reading.post("/embed", files=form(*[p.read_bytes() for p in pictures[:5]])).json()
    assert together["dim"] == z.shape[1]
    assert torch.allclose(torch.tensor(together["embeddings"]), z, atol=1e-5)
    alone = reading.post("/embed", content=pictures[0].read_bytes(), headers=RAW).json()
    assert torch.allclose(torch.tensor(alone["embeddings"]), z[:1], atol=1e-5)


@pytest.mark.parametrize("name", PICTURES)
def test_any_picture_is_embedded_as_its_file(reading, made, tmp_path, name):
    path = tmp_path / "picture"
    path.write_bytes(PICTURES[name])
    got = reading.post("/embed", content=PICTURES[name], headers={"content-type": "image/png"}).json()
    assert torch.allclose(torch.tensor(got["embeddings"]), index.read(made / "gallery").model([path]), atol=1e-5)


@pytest.mark.parametrize(("k", "exact"), [(1, False), (3, True), (100, False)])
def test_searches_are_those_of_the_library(reading, made, pictures, k, exact):
    library = index.read(made / "gallery")
    found = reading.post(f"/search?k={k}&exact={exact}", files=form(*[p.read_bytes() for p in pictures[:3]])).json()
    for one, matches in zip(found["matches"], library.search(pictures[:3], k, exact=exact), strict=True):
        same(one, matches)
    assert found["generation"] == library.generation
    z = library.model(pictures[:2])
    by_vector = reading.post(f"/search?k={k}", json={"vectors": z.tolist()}).json()
    for one, matches in zip(by_vector["matches"], library.search(pictures[:2], k), strict=True):
        same(one, matches)


def test_names_are_those_of_the_library(reading, made, pictures):
    strangers = sorted((made / "others").rglob("*.png"))[:8]
    library = openset.match(index.read(made / "gallery"), [*pictures[:4], *strangers], k=2)
    got = reading.post("/match?k=2", files=form(*[p.read_bytes() for p in [*pictures[:4], *strangers]])).json()
    for one, identity in zip(got["identities"], library, strict=True):
        assert (one["label"], one["known"], one["nearest"]) == (identity.label, identity.known, identity.nearest)
        assert one["score"] == pytest.approx(identity.score, abs=1e-5)
        assert one["threshold"] == pytest.approx(identity.threshold, abs=1e-5)
        assert one["p"] == pytest.approx(identity.p, abs=0.0101)  # a rank: the last bit of a score may pass one of 100
        same(one["matches"], identity.matches)
    assert {one["known"] for one in got["identities"]} == {True, False}
    assert "at most 0.2 of the pictures of new unknown classes" in got["promise"]


def test_a_gallery_without_thresholds_says_how_to_get_them(made, pictures):
    with client_of(made / "plain") as client:
        got = client.post("/match", content=pictures[0].read_bytes(), headers=RAW)
        assert got.status_code == 409
        assert "isometry calibrate" in got.json()["error"]
        assert client.get("/about").json()["calibrated"] is False


def test_thresholds_of_another_gallery_are_not_used(client, pictures):
    for shift in (0, 1):
        files = form(*[p.read_bytes() for p in pictures[shift : shift + 12]])
        assert client.post("/items", files=files).status_code == 200
    got = client.post("/match", content=pictures[0].read_bytes(), headers=RAW)
    assert got.status_code == 409
    assert "--again" in got.json()["error"]


def test_about_says_what_is_served(reading, made):
    library, about = index.read(made / "gallery"), reading.get("/about").json()
    assert (about["digest"], about["dim"]) == (library.model.digest, library.dim)
    assert (about["similarity"], about["items"], about["kind"]) == ("cosine", 24, library.kind)
    assert about["calibrated"] is True
    assert about["limits"]["k"] == 100


# adding and deleting


def test_what_is_added_is_found_and_what_is_deleted_is_not(client, gallery, pictures):
    new = Image.new("RGB", (30, 30), "red")
    new.save(gallery.parent / "new.png")
    data = (gallery.parent / "new.png").read_bytes()
    added = client.post("/items?label=red&label=blue", files=form(data, WHOLE)).json()
    assert added["ids"] == [24, 25]
    assert client.get("/items/24").json() == {"id": 24, "label": "red", "part": ""}
    first = client.post("/search?k=1", content=data, headers=RAW).json()
    assert (first["matches"][0][0]["id"], first["generation"]) == (24, added["generation"])
    library = index.read(gallery)
    assert len(library) == 26
    assert library.picture(24).size == (30, 30)
    assert client.delete("/items/24").json()["deleted"] == 1
    assert client.delete("/items/24").status_code == 404
    assert client.get("/items/24").status_code == 404
    assert client.post("/search?k=1", content=data, headers=RAW).json()["matches"][0][0]["id"] != 24


def test_an_id_that_exists_is_replaced(client, gallery):
    assert client.post("/items?id=3&label=other", content=WHOLE, headers=RAW).json()["ids"] == [3]
    assert client.get("/items/3").json()["label"] == "other"
    assert len(index.read(gallery)) == 24


def test_one_picture_that_is_none_leaves_the_gallery_as_it_was(client, gallery):
    before = index.read(gallery).generation
    got = client.post("/items", files=form(WHOLE, b"no picture", WHOLE))
    assert got.status_code == 415
    assert got.json()["error"].startswith("Picture 2 of 3: ")
    assert index.read(gallery).generation == before
    assert len(index.read(gallery)) == 24


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("label=a&label=b", "1 pictures and 2 of 'label'"),
        ("id=1&id=2", "1 pictures and 2 of 'id'"),
        ("id=-1", "greater than or equal to 0"),
        ("id=9223372036854775808", "less than or equal to"),
        ("label=" + "x" * 201, "at most 200 characters"),
        ("label=a%00b", "pattern"),
    ],
)
def test_labels_and_ids_have_to_fit(reading, query, says):
    got = reading.post(f"/items?{query}", content=WHOLE, headers=RAW)
    assert got.status_code == 422
    assert says in got.json()["error"]


def test_changes_of_another_process_are_seen(client, gallery, pictures):
    index.read(gallery).delete([0, 1, 2])
    for _ in range(100):
        if client.get("/about").json()["items"] == 21:
            break
        threading.Event().wait(0.1)
    assert client.get("/about").json()["items"] == 21
    assert client.get("/items/0").status_code == 404


# what is refused


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_pictures_get_one_line_and_the_server_goes_on(reading, name):
    data, status = REFUSED[name]
    for got in (reading.post("/search", content=data, headers=RAW), reading.post("/items", files=form(data))):
        assert got.status_code == status
        assert set(got.json()) == {"error", "request"}
        assert "Traceback" not in got.text
        assert "\n" not in got.text
    assert reading.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 422), ("{", 422), ("null", 422), ("[]", 422), ("{}", 422), ('{"vectors": []}', 422),
        ('{"vectors": [[]]}', 422), ('{"vectors": [[1, 2]]}', 422), ('{"vectors": [["a"]]}', 422),
        ('{"vectors": [[NaN, 0, 0, 0, 0, 0, 0, 0]]}', 422), ('{"vectors": [[Infinity, 0, 0, 0, 0, 0, 0, 0]]}', 422),
        ('{"vectors": [[1e39, 0, 0, 0, 0, 0, 0, 0]]}', 422), ('{"vectors": [[1e999, 0, 0, 0, 0, 0, 0, 0]]}', 422),
        ('{"vectors": [[' + "9" * 20_000 + ", 0, 0, 0, 0, 0, 0, 0]]}", 422),
        ('{"vectors": [[0,0,0,0,0,0,0,0]], "path": "/etc/passwd"}', 422),
        ("[" * 60_000, 422), ('{"a":' * 10_000, 422), ('{"vectors": ' + "[" * 50_000 + "]" * 50_000 + "}", 422),
        ('{"vectors": [[0,0,0,0,0,0,0,0], [0]]}', 422), ("\x00", 422), ("\xff", 422),
        (json.dumps({"vectors": [[0.5] * 8] * 257}), 413), ("[" + "0," * 400_000 + "0]", 413),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_vectors_that_are_none_are_refused(reading, body, status):
    got = reading.post("/search", content=body, headers={"content-type": "application/json"})
    assert got.status_code == status
    assert len(got.json()["error"]) < 300


@pytest.mark.parametrize(
    "body",
    [b'{"vectors": [[' + b'"a",' * 100_000 + b"1]]}", b'{"vectors": [' + b"1," * 200_000 + b"1]}",
     b"{" + b",".join(b'"%d": 0' % i for i in range(50_000)) + b', "vectors": [[1]]}'],
    ids=["numbers", "vectors", "names"],
)  # fmt: skip
def test_of_many_mistakes_one_is_told(body):
    """Each would cost a thousand times its bytes: all of them took gigabytes and the server's other answers waited."""
    request = Request({"type": "http", "method": "POST", "headers": []}, Replay(body, None))
    tracemalloc.start()
    with pytest.raises(Refused) as told:
        asyncio.run(vectors(request, 512, Limits()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.value.status == 422
    assert peak < 60 * len(body)


def test_a_vector_of_zeros_and_a_long_one_are_answered(reading):
    got = reading.post("/search", json={"vectors": [[0.0] * 8, [1e15] * 8, [1e-30] * 8]})
    assert got.status_code == 200
    assert len(got.json()["matches"]) == 3


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/search", {"files": [("file", ("a.png", WHOLE))]}, 422),
        ("/search", {"files": [("picture", ("a.png", WHOLE))] * 17}, 400),
        ("/search", {"data": {"picture": "/etc/passwd"}}, 415),
        ("/search", {"files": [("picture", ("a.png", WHOLE))], "data": {"path": "/etc/passwd"}}, 400),
        ("/search", {"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400),
        ("/search", {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ("/search", {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422),
        ("/search", {"content": WHOLE, "headers": {"content-type": "text/html"}}, 415),
        ("/search", {"content": WHOLE}, 415),
        ("/embed", {"content": b"{}", "headers": {"content-type": "application/json"}}, 415),
        ("/search?k=0", {"content": WHOLE, "headers": RAW}, 422),
        ("/search?k=101", {"content": WHOLE, "headers": RAW}, 422),
        ("/search?k=many", {"content": WHOLE, "headers": RAW}, 422),
        ("/match?k=-1", {"content": WHOLE, "headers": RAW}, 422),
        ("/nothing", {"content": WHOLE, "headers": RAW}, 404),
        ("/../etc/passwd", {"content": WHOLE, "headers": RAW}, 404),
        ("/health/ready", {"content": WHOLE, "headers": RAW}, 405),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_line(reading, path, options, status):
    got = reading.post(path, **options)
    assert got.status_code == status
    assert got.headers["content-type"] == "application/json"
    assert got.json()["error"].endswith(".")
    assert "\n" not in got.text


def test_a_body_is_limited_whether_it_says_its_length_or_not(gallery, pictures):
    def pieces():
        for _ in range(50):
            yield bytes(1000)

    with client_of(gallery, body=20_000) as client:
        for content in (bytes(20_001), pieces(), bytes(200_000)):
            got = client.post("/search", content=content, headers=RAW)
            assert got.status_code == 413
            assert "larger than 20,000 bytes" in got.json()["error"]
        assert client.post("/search", content=iter([pictures[0].read_bytes()]), headers=RAW).status_code == 200
        assert client.post("/search", content=bytes(20_000), headers=RAW).status_code == 415


# what is said beside


def test_every_answer_has_an_id_and_says_how_it_may_be_used(reading):
    for got in (reading.get("/health"), reading.get("/nothing"), reading.get("/docs"), reading.post("/search")):
        assert len(got.headers["x-request-id"]) == 16
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert "server" not in got.headers
    assert reading.get("/nothing", headers={"x-request-id": "mine-1"}).json()["request"] == "mine-1"
    assert reading.get("/nothing", headers={"x-request-id": "a b\tc"}).json()["request"] != "a b\tc"


def test_metrics_count_what_was_done(client):
    client.post("/embed", files=form(WHOLE, WHOLE))
    client.post("/embed", content=b"nothing", headers=RAW)
    client.get("/no-such-path-of-a-client")
    text = client.get("/metrics").text
    assert 'isometry_requests_total{method="POST",route="/embed",status="200"} 1.0' in text
    assert 'isometry_requests_total{method="POST",route="/embed",status="415"} 1.0' in text
    assert 'isometry_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert 'isometry_batch_size_sum{what="pictures"} 2.0' in text
    assert "isometry_gallery_items 24.0" in text
    assert "no-such-path" not in text


def test_the_page_names_every_route_and_loads_nothing(reading):
    page, schema = reading.get("/docs").text, reading.get("/openapi.json").json()
    for path in schema["paths"]:
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert "http-equiv" not in page
    assert "src=" not in page
