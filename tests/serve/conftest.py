"""A small gallery with a calibration, and a client of its server."""

import contextlib
import shutil
import threading

import pytest

import isometry
from isometry import index, openset, serve
from tests.small import COLOUR, folder

pytest.importorskip("fastapi", reason="serving is not installed: pip install 'isometry[serve]'")
from starlette.testclient import TestClient

TOKEN = "a-token-that-is-long-enough"
RAW = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run of four steps, a gallery of six classes of its data, calibrated with six others."""
    root = tmp_path_factory.mktemp("served")
    folder(root / "known", classes=6, each=4)
    folder(root / "others", classes=24, each=4, seed=1)
    for one in (root / "others").iterdir():
        one.rename(one.with_name("other_" + one.name))
    isometry.train(root / "known", loss="Triplet()", out=root / "run", report=False, **COLOUR)
    index.build(root / "run", root / "known", root / "gallery", workers=0)
    shutil.copytree(root / "gallery", root / "plain")
    found = index.read(root / "gallery")
    held = openset.held_of(found.model, root / "others", workers=0)
    openset.keep(found, openset.calibrate(found, held, rate=0.2), held)
    return root


@pytest.fixture
def gallery(made, tmp_path):
    """A gallery of its own, calibrated, for a test that may change it."""
    shutil.copytree(made / "gallery", tmp_path / "gallery")
    return tmp_path / "gallery"


@pytest.fixture(scope="session")
def pictures(made):
    """Files of the data."""
    return sorted((made / "known").rglob("*.png"))


@pytest.fixture(scope="module")
def reading(made):
    """A client of a server that may be written to without a token, for tests that do not."""
    with TestClient(serve.app(index.read(made / "gallery"), access=serve.Access(writable=True))) as one:
        yield one


@pytest.fixture
def client(gallery):
    """The same for a test that changes the gallery."""
    app = serve.app(index.read(gallery), access=serve.Access(writable=True))
    with TestClient(app) as one:
        yield one


def form(*files):
    """Pictures as a form has them."""
    return [("picture", (f"{i}.png", data)) for i, data in enumerate(files)]


@contextlib.contextmanager
def live(gallery, limits=None, access=None):
    """A server that listens: its address."""
    import uvicorn

    from isometry.serve.running import bound

    app = serve.app(index.read(gallery), limits, access)
    with bound("127.0.0.1", 0) as socket:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def client_of(gallery, access=None, **limits):
    """A client of a server with these limits."""
    return TestClient(serve.app(index.read(gallery), serve.Limits(**limits), access))
