"""What every answer has in common: headers, the form of an error, and figures without ids."""

import logging

import pytest
from asking import ask
from fastapi import FastAPI

import shortlist as sl
from shortlist.recommender import Shortlist
from shortlist.recommender.answers import Source
from shortlist.serving import ServerSettings, create_app
from shortlist.serving.metrics import Metrics

pytest_plugins = ["served"]


@pytest.mark.parametrize("target", ["/recommend/1", "/", "/nothing", "/items/none", "/metrics", "/recommend"])
def test_every_answer_has_the_headers_that_keep_a_page_safe(app: FastAPI, target: str) -> None:
    headers = ask(app, target).headers
    policy = dict(part.split(maxsplit=1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-cache" if target == "/" else "no-store")


NOWHERE = ("/nothing", "/recommend/", "//", "/items/1/2", "/page/", "/docs/oauth2-redirect", "/redoc", "/%00")


@pytest.mark.parametrize("target", NOWHERE)
def test_a_path_that_is_not_there_is_not_found(app: FastAPI, target: str) -> None:
    got = ask(app, target)
    assert got.status == 404
    assert got.error == "Nothing is at this path. GET /openapi.json lists what is, and /docs shows it."


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("GET", "/recommend", "POST"),
        ("POST", "/model", "GET, HEAD"),
        ("DELETE", "/items/1", "GET, HEAD"),
        ("OPTIONS", "/similar", "POST"),
        ("BREW", "/health", "GET, HEAD"),
    ],
)
def test_another_method_is_refused_and_the_right_one_told(app: FastAPI, method: str, target: str, allowed: str) -> None:
    got = ask(app, target, method=method)
    assert got.status == 405
    assert got.headers["allow"] == allowed
    assert got.error == f"This path takes {allowed}, not {method}. GET /openapi.json lists what each path takes."


@pytest.mark.parametrize("target", ["/health", "/recommend/1", "/", "/items/none", "/model"])
def test_head_is_answered_as_get_is_without_the_body(app: FastAPI, target: str) -> None:
    head, get = ask(app, target, method="HEAD"), ask(app, target)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_an_error_that_nobody_expected_is_logged_without_the_requests_values(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: sl.Recommender, query: dict[str, object], *_: object, **__: object) -> None:
        try:
            raise KeyError(query["user_id"])
        except KeyError as error:
            raise ZeroDivisionError(f"no such user as {query['user_id']}") from error

    monkeypatch.setattr(sl.Recommender, "recommend", fail)
    got = ask(app, "/recommend", {"query": {"user_id": "secret-name"}})
    assert got.status == 500
    assert got.error == "The server failed at this request. Its log says where; please report it with the log."
    assert caplog.records[-1].levelno == logging.ERROR
    assert "KeyError\nwhich led to:" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "in fail" in caplog.text
    assert "secret-name" not in caplog.text


def test_figures_count_by_route_and_never_name_an_id(fresh_app: FastAPI) -> None:
    for target in ("/recommend/secret-name", "/items/secret-name", "/secret-name", "/items?search=secret-name"):
        ask(fresh_app, target)
    ask(fresh_app, "/recommend", {"query": {"user_id": "secret-name"}})
    ask(fresh_app, "/recommend", {"query": {"secret-name": 1}})
    ask(fresh_app, "/health", method="SECRET-NAME")
    ask(fresh_app, "/recommend", method="HEAD")
    text = ask(fresh_app, "/metrics").body.decode()
    for line in (
        'shortlist_requests_total{method="GET",route="/recommend/{user_id}",status="200"} 1.0',
        'shortlist_requests_total{method="GET",route="/items/{item_id}",status="404"} 1.0',
        'shortlist_requests_total{method="GET",route="other",status="404"} 1.0',
        'shortlist_requests_total{method="POST",route="/recommend",status="200"} 1.0',
        'shortlist_requests_total{method="POST",route="/recommend",status="422"} 1.0',
        'shortlist_requests_total{method="other",route="/health",status="405"} 1.0',
        'shortlist_requests_total{method="HEAD",route="/recommend",status="405"} 1.0',
        'shortlist_request_seconds_count{route="/recommend"} 3.0',
        'shortlist_answers_total{query="fallback"} 2.0',
        "shortlist_answers_searched_exactly_total 0.0",
        "shortlist_requests_inside 1.0",
        'shortlist_model{name="first",version="',
    ):
        assert line in text
    assert "secret-name" not in text.lower()


@pytest.mark.parametrize(("index", "is_exact", "count"), [("exact", True, 0), ("ivf", True, 1), ("ivf", False, 0)])
def test_a_list_counts_as_searched_exactly_where_an_approximate_index_did_so(
    index: str, is_exact: bool, count: int
) -> None:
    metrics = Metrics()
    metrics.note_answer(Shortlist((), "known", Source(None, index, None, is_exact)))
    assert f"shortlist_answers_searched_exactly_total {count}.0" in metrics.to_text().decode()


def test_requests_are_logged_where_asked_for_and_without_ids(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(ServerSettings(settings.bundle, log_requests=True))
    with caplog.at_level(logging.INFO, "shortlist.serving.requests"):
        for target in ("/recommend/secret-name?k=3", "/secret-name"):
            ask(app, target)
    lines = [record.getMessage() for record in caplog.records if record.name == "shortlist.serving.requests"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == ["GET /recommend/{user_id} 200", "GET other 404"]
    assert all(line.endswith(" ms") for line in lines)
