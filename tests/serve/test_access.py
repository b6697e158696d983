"""Who may read and write, from where, and how much at once."""

import pytest
from starlette.testclient import TestClient

from isometry import index, serve
from isometry.serve import Access
from tests.serve.conftest import RAW, TOKEN, client_of, form
from tests.serve.hostile import WHOLE


def test_without_a_token_reading_is_open_and_writing_is_not(gallery):
    with client_of(gallery) as client:
        assert client.post("/embed", content=WHOLE, headers=RAW).status_code == 200
        for got in (client.post("/items", content=WHOLE, headers=RAW), client.delete("/items/0")):
            assert got.status_code == 403
            assert "ISOMETRY_TOKEN" in got.json()["error"]
    assert len(index.read(gallery)) == 24


@pytest.mark.parametrize("open_reading", [False, True])
def test_a_token_is_asked_for(gallery, open_reading):
    reading, right = [("GET", "/about"), ("GET", "/metrics"), ("GET", "/items/0")], {"authorization": f"Bearer {TOKEN}"}
    wrong = [{}, {"authorization": TOKEN}, {"authorization": "Bearer"}, {"authorization": f"Basic {TOKEN}"},
             {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Bearer {TOKEN[:-1]}"}]  # fmt: skip
    with client_of(gallery, Access(TOKEN, open_reading=open_reading)) as client:
        for method, path in reading:
            assert client.request(method, path, headers=right).status_code == 200
            for headers in wrong:
                got = client.request(method, path, headers=headers)
                assert got.status_code == (200 if open_reading else 401)
        for headers in wrong:
            got = client.delete("/items/0", headers=headers)
            assert (got.status_code, got.headers["www-authenticate"]) == (401, "Bearer")
            assert TOKEN not in got.text
        for path in ("/health", "/health/live", "/health/ready", "/docs", "/openapi.json"):
            got = client.get(path)
            assert got.status_code == 200
            assert TOKEN not in got.text
        assert client.delete("/items/0", headers=right).status_code == 200


@pytest.mark.parametrize("access", [Access(), Access(TOKEN), Access(TOKEN, open_reading=True)])
def test_under_another_path_nobody_writes_either(gallery, access):
    """A gallery behind a proxy or inside another application is asked for with a prefix in its path."""
    with TestClient(serve.app(index.read(gallery), access=access), root_path="/letters") as client:
        for path in ("/letters/items/0", "/items/0"):
            assert client.delete(path).status_code in (401, 403)
        assert client.post("/letters/items", content=WHOLE, headers=RAW).status_code in (401, 403)
        assert client.get("/letters/health").status_code == 200
    assert len(index.read(gallery)) == 24


def test_a_page_of_another_site_can_neither_write_nor_read(gallery):
    with client_of(gallery, Access(writable=True, hosts=("127.0.0.1",))) as client:
        here, elsewhere = {"host": "127.0.0.1:8000"}, {"host": "evil.example"}
        assert client.get("/about", headers=here).status_code == 200
        assert client.get("/about", headers=elsewhere).status_code == 403
        for origin, status in (("http://127.0.0.1:8000", 404), ("https://evil.example", 403), ("null", 403)):
            assert client.delete("/items/99", headers={**here, "origin": origin}).status_code == status


def test_paths_are_told_only_where_that_was_asked_for(made, pictures):
    with client_of(made / "gallery") as client:
        found = client.post("/search", content=pictures[0].read_bytes(), headers=RAW)
        assert "path" not in found.json()["matches"][0][0]
        assert str(made) not in found.text + client.get("/items/0").text + client.get("/about").text
    with TestClient(serve.app(index.read(made / "gallery"), show_paths=True)) as client:
        found = client.post("/search", content=pictures[0].read_bytes(), headers=RAW)
        assert found.json()["matches"][0][0]["path"] == "class_0/0.png"
        assert client.get("/items/0").json()["path"] == "class_0/0.png"
        assert str(made) not in found.text


# how answers look


def test_pixels_pictures_vectors_and_k_are_limited_as_set(gallery):
    with client_of(gallery, pixels=1999, pictures=2, vectors=1, k=2) as client:
        assert client.post("/embed", content=WHOLE, headers=RAW).status_code == 413
        assert "at most 2 pictures" in client.post("/embed", files=form(WHOLE, WHOLE, WHOLE)).json()["error"]
        assert client.post("/search", json={"vectors": [[1.0] * 8] * 2}).status_code == 413
        assert client.post("/search?k=3", json={"vectors": [[1.0] * 8]}).status_code == 422
        assert len(client.post("/search?k=2", json={"vectors": [[1.0] * 8]}).json()["matches"][0]) == 2
