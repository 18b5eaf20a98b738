"""Figures for Prometheus; no label ever carries an id."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from shortlist.index import ExactIndex
from shortlist.recommender import Shortlist
from shortlist.serving.bundles import Snapshot

__all__ = ["OTHER", "Metrics"]

# The route of every path that is none of this server's.
OTHER = "other"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What one server counts.

    A metric's child for some labels is looked up once and then kept: prometheus_client's own way takes longer than
    counting does.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "shortlist_requests", "Requests.", ("route", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "shortlist_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._inside = Gauge("shortlist_requests_inside", "Requests answered now, or waiting.", registry=self._registry)
        self._shed = Counter("shortlist_shed", "Requests sent away unanswered.", ("reason",), registry=self._registry)
        self._answers = Counter("shortlist_answers", "Lists, by what was known.", ("query",), registry=self._registry)
        self._exact = Counter(
            "shortlist_answers_searched_exactly",
            "Lists for which an approximate index looked at every item.",
            registry=self._registry,
        )
        self._model = Gauge(
            "shortlist_model", "The active bundle: always 1.", ("name", "version"), registry=self._registry
        )
        self._swaps = Counter("shortlist_swaps", "Changes of the active bundle.", ("kind",), registry=self._registry)
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._times: dict[str, Histogram] = {}
        self._kinds: dict[str, Counter] = {}

    def note_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request that is over."""
        method = method if method in METHODS else OTHER
        key = (route, method, status)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = self._requests.labels(route, method, str(status))
        count.inc()
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = self._seconds.labels(route)
        times.observe(seconds)

    def note_answer(self, answer: Shortlist) -> None:
        """Count one list."""
        count = self._kinds.get(answer.query)
        if count is None:
            count = self._kinds[answer.query] = self._answers.labels(answer.query)
        count.inc()
        if answer.source.exact and answer.source.index != ExactIndex.kind:
            self._exact.inc()

    def note_shed(self, reason: str) -> None:
        """Count one request that was sent away unanswered."""
        self._shed.labels(reason).inc()

    def note_active(self, active: Snapshot, kind: str | None = None) -> None:
        """Tell which bundle answers, and by which kind of change it came to that."""
        self._model.clear()
        self._model.labels(active.name, active.recommender.version or "").set(1)
        if kind is not None:
            self._swaps.labels(kind).inc()

    def watch(self, count_inside: Callable[[], float]) -> None:
        """Ask this function how many requests are inside, whenever somebody wants to know."""
        self._inside.set_function(count_inside)

    def to_text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)
