"""What a server counts, as Prometheus reads it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Meters:
    """Counts, latencies, queues and batch sizes of one server, and its process's own memory and time."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self.requests = Counter("isometry_requests", "Requests answered.", ["route", "method", "status"], registry=own)
        self.seconds = Histogram(
            "isometry_request_seconds",
            "From a request's headers to its answer.",
            ["route"],
            registry=own,
            buckets=SECONDS,
        )
        self.active = Gauge("isometry_requests_active", "Requests being worked on.", registry=own)
        self.waiting = Gauge("isometry_waiting", "Pictures or searches that wait for a batch.", ["what"], registry=own)
        self.batches = Histogram("isometry_batch_size", "Sizes of batches.", ["what"], registry=own, buckets=SIZES)
        self.items = Gauge("isometry_gallery_items", "Pictures in the gallery.", registry=own)
        self.generation = Gauge("isometry_gallery_generation", "State of the gallery.", registry=own)

    def watch(self, what: str, waiting: Callable[[], int]) -> None:
        """Reads a queue's length whenever it is asked for."""
        self.waiting.labels(what).set_function(waiting)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self.registry)
