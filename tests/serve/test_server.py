"""A server that listens: many clients at once, slow ones, too many, and its end; and what keeps it from starting."""

import asyncio
import concurrent.futures
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from isometry import index
from isometry.cli import main
from isometry.serve import Limits, Refused, running
from isometry.serve.access import token_of
from isometry.serve.gathering import Gathering
from tests.serve.conftest import TOKEN, live
from tests.serve.hostile import REFUSED, WHOLE

RAW = {"content-type": "application/octet-stream"}
POST = b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"


def asked(address, method, path, body=None, headers=RAW):
    """Status, headers and JSON of an answer."""
    line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    try:
        line.request(method, path, body, headers)
        got = line.getresponse()
        return got.status, got.headers, json.loads(got.read())
    finally:
        line.close()


def raw(address, *pieces, wait=0.0):
    """What comes back for bytes as they are."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(wait)
        got = b""
        while more := line.recv(65_536):
            got += more
            if b'"request"' in got:
                break
    return got


def test_many_clients_at_once_each_get_their_own_answer(made, pictures):
    """Pictures of several requests share batches; each answer is that of its own picture."""
    library = index.read(made / "gallery")
    z = library.model(pictures)
    hostile = [data for data, _ in REFUSED.values()][:20]

    def one(number):
        if number % 4 == 3:
            return asked(address, "POST", "/embed", hostile[number % len(hostile)])[0], None
        status, _, told = asked(address, "POST", "/embed", pictures[number % len(pictures)].read_bytes())
        return status, torch.tensor(told["embeddings"][0])

    with live(made / "gallery", Limits(batch=8)) as address, ThreadPoolExecutor(16) as pool:
        for number, (status, got) in enumerate(pool.map(one, range(120))):
            if got is None:
                assert 400 <= status < 500
            else:
                assert status == 200
                assert torch.allclose(got, z[number % len(pictures)], atol=1e-5)
        about = http.client.HTTPConnection(address.removeprefix("http://"))
        about.request("GET", "/metrics")
        text = about.getresponse().read().decode()
        about.close()
    sizes = dict(line.rsplit(" ", 1) for line in text.splitlines() if "batch_size" in line and not line.startswith("#"))
    assert float(sizes['isometry_batch_size_sum{what="pictures"}']) == 90


def test_searching_while_others_write_finds_what_is_there(gallery, pictures):
    """Each answer is of the gallery before or after a change: ids that are found exist, and are labelled."""
    stop, headers = threading.Event(), {**RAW, "authorization": f"Bearer {TOKEN}"}

    def write():
        while not stop.is_set():
            added = asked(address, "POST", "/items?label=new", pictures[0].read_bytes(), headers)[2]["ids"][0]
            assert asked(address, "DELETE", f"/items/{added}", None, headers)[0] == 200

    from isometry.serve import Access

    with live(gallery, access=Access(TOKEN, open_reading=True)) as address, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        for _ in range(60):
            status, _, told = asked(address, "POST", "/search?k=30", pictures[0].read_bytes())
            assert status == 200
            assert len(told["matches"][0]) in (24, 25)
            assert {one["label"] for one in told["matches"][0]} <= {f"class_{c}" for c in range(6)} | {"new"}
        stop.set()
        writing.result(30)
    assert len(index.read(gallery)) == 24


def test_too_many_at_once_are_told_to_come_back(made):
    with live(made / "gallery", Limits(requests=2, reading=3)) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(2)]
        for line in slow:
            line.sendall(POST + b"content-length: 9\r\n\r\nabc")
        until = time.monotonic() + 20
        while asked(address, "POST", "/embed", WHOLE)[0] == 200 and time.monotonic() < until:
            time.sleep(0.05)
        status, headers, told = asked(address, "POST", "/embed", WHOLE)
        assert (status, headers["retry-after"]) == (503, "1")
        assert told["error"].startswith("2 requests are being worked on")
        assert asked(address, "GET", "/health/ready")[0] == 200  # a full server is a healthy one
        answers = [line.recv(65_536) for line in slow]
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        for line in slow:
            line.close()
        assert asked(address, "POST", "/embed", WHOLE)[0] == 200


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([POST + b"transfer-encoding: chunked\r\n\r\n", *[b"1000\r\n" + bytes(4096) + b"\r\n"] * 9], b"413"),
        ([POST + b"content-length: 99999999999999\r\n\r\n"], b"413"),
        ([POST + b"content-length: 1000000\r\n\r\n", bytes(40_000)], b"413"),
    ],
    ids=["in pieces", "by its length", "as it arrives"],
)  # fmt: skip
def test_a_large_body_is_not_waited_for(made, pieces, status):
    with live(made / "gallery", Limits(body=8000)) as address:
        assert raw(address, *pieces).split()[1] == status


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
        b"\x16\x03\x01\x02\x00\x01",
        b"\r\n" * 1000,
    ],
    ids=["nonsense", "no version", "many headers", "TLS", "empty lines"],
)  # fmt: skip
def test_what_is_no_request_does_no_harm(made, request_):
    with live(made / "gallery") as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(request_)
        assert asked(address, "GET", "/health")[2] == {"live": True, "ready": True}


def test_what_is_being_worked_on_is_answered_before_the_end(made, pictures):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        with live(made / "gallery") as address:
            waiting = [pool.submit(asked, address, "POST", "/search", p.read_bytes()) for p in pictures[:4]]
            concurrent.futures.wait(waiting, return_when="FIRST_COMPLETED")
        assert {one.result(30)[0] for one in waiting} == {200}


# gathering


def gathered(work, things, **options):
    """Results or refusals of things that arrive together."""

    async def run():
        with ThreadPoolExecutor(1) as thread:
            async with Gathering(work, thread, **options) as gathering:
                return await asyncio.gather(*(gathering.submit(*one) for one in things), return_exceptions=True)

    return asyncio.run(run())


def test_things_of_one_kind_go_together_and_come_back_in_order():
    sizes = []

    def work(xs):
        assert len({type(x) for x in xs}) == 1
        return [x * 2 for x in xs]

    things = [("a", 1), ("b", "x"), ("a", 2), ("a", 3), ("b", "y"), ("a", 4)]
    assert gathered(work, things, batch=3, saw=sizes.append) == [2, "xx", 4, 6, "yy", 8]
    assert sorted(sizes) == [1, 2, 3]


def test_what_fails_alone_fails_alone_and_what_fails_together_fails_for_all():
    refused = Refused(422, "No.")
    assert gathered(lambda xs: [refused if x == 2 else x for x in xs], [("a", 1), ("a", 2), ("a", 3)]) == [
        1,
        refused,
        3,
    ]
    assert {type(one) for one in gathered(lambda xs: 1 / 0, [("a", 1), ("a", 2)])} == {ZeroDivisionError}


def test_there_is_room_for_so_many():
    results = gathered(lambda xs: xs, [("a", i) for i in range(10)], room=4)
    assert results[:4] == [0, 1, 2, 3]
    assert {one.status for one in results[4:]} == {503}


# what keeps it from starting


def test_what_cannot_be_served_is_one_line_and_exit_code_2(made, tmp_path, monkeypatch, capsys):
    def said(*words):
        monkeypatch.setattr("sys.argv", ["isometry", "serve", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out = capsys.readouterr().err
        assert ended.value.code == 2
        assert out.startswith("isometry: ")
        assert out.count("\n") == 1
        return out

    assert "no gallery" in said(tmp_path / "nothing").lower() or "There is no" in said(tmp_path / "nothing")
    assert "anyone who reaches 0.0.0.0" in said(made / "gallery", "--writable", "--host", "0.0.0.0")
    assert "requests" in said(made / "gallery", "--requests", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be served on" in said(made / "gallery", "--port", port)
    assert "203.0.113.7:8000 cannot be served on" in said(made / "gallery", "--host", "203.0.113.7")
    monkeypatch.setenv("ISOMETRY_TOKEN", "hunter2")
    told = said(made / "gallery")
    assert "ISOMETRY_TOKEN is set and is no token" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "with a space in it, and long", "ümlaut-ümlaut-ümlaut", "tab\t" * 8]
)
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(ValueError, match="ISOMETRY_TOKEN is set and is no token") as told:
        token_of({"ISOMETRY_TOKEN": token})
    assert not token or token not in str(told.value)
    assert token_of({"ISOMETRY_TOKEN": TOKEN}) == TOKEN


def test_small_answers_do_not_wait_for_the_next():
    """asyncio turns Nagle's algorithm off for sockets that say they are TCP, and for no others."""
    with running.bound("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP
