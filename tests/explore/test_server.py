"""Where the page is served."""

import socket

import pytest

from isometry.explore import serve


def test_a_port_that_is_taken_is_said_before_anything_is_worked_out():
    pytest.importorskip("uvicorn", reason="the explorer is not served: uvicorn not installed")

    def work():
        raise AssertionError("something was worked out")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match=r"cannot be had .*name another with --port"):
            serve(work, port=taken.getsockname()[1])
