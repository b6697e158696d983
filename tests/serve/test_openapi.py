"""The server against its own OpenAPI page: whatever the page allows is answered as the page says, and never with a 500."""

import shutil

import pytest

from isometry.serve import Access
from isometry.serve.access import OPEN
from tests.serve.conftest import TOKEN, live
from tests.serve.hostile import PICTURES

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install 'isometry[dev]'")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

for kind in ("image/png", "image/jpeg", "image/webp", "image/gif", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, st.sampled_from([*PICTURES.values()]))


@pytest.fixture(scope="module")
def schema(made, tmp_path_factory):
    """The page of a server that listens, whose gallery may be changed."""
    place = tmp_path_factory.mktemp("openapi") / "gallery"
    shutil.copytree(made / "gallery", place)
    with live(place, access=Access(TOKEN)) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json", headers={"authorization": f"Bearer {TOKEN}"})


def tried(schema, examples, mode):
    """Runs every operation of the page on generated requests, and all of schemathesis's checks."""
    for operation in schema.get_all_operations():
        operation = operation.ok()
        if mode is schemathesis.GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.path_parameters
        ):
            continue  # there is nothing to ask wrongly

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def one(case):
            case.call_and_validate()

        one()


def test_what_the_page_allows_is_answered_as_it_says(schema):
    tried(schema, 4, schemathesis.GenerationMode.POSITIVE)


def test_what_the_page_does_not_allow_is_refused_as_it_says(schema):
    tried(schema, 4, schemathesis.GenerationMode.NEGATIVE)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_the_same_for_longer(schema, mode):
    tried(schema, 100, mode)


def test_the_page_is_complete(schema):
    """Every operation says what it may answer, and who needs a token."""
    paths = schema.raw_schema["paths"]
    assert {"/embed", "/search", "/match", "/items", "/items/{id}", "/about", "/metrics", "/health/ready"} <= set(paths)
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert {"401", "404", "413", "503"} <= set(operation["responses"])
            assert bool(operation.get("security")) == (path not in OPEN), (method, path)
