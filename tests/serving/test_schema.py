"""The OpenAPI document: it is valid, and what it says is what the server does."""

from typing import Any

import pytest
import schemathesis
from asking import KEY, ask
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from shortlist.serving import Limits

pytest_plugins = ["served"]

# 422 answers what the schema allows and the catalogue does not hold, such as ids of no item. A body that is too long
# is refused with 413 before anybody looks at what is wrong in it; schemathesis' own list of refusals lacks that one.
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422"]
CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]},
        "negative_data_rejection": {"expected-statuses": REFUSED},
    }
}
FEW = settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def document(app: FastAPI) -> Any:
    return ask(app, "/openapi.json").json


def test_the_document_is_one_of_openapi(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    assert schema.specification.version.startswith("3.1.")
    schema.validate()


def test_every_route_of_the_api_is_described_with_its_refusals(document: Any) -> None:
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        ("/recommend", "post"),
        ("/recommend/batch", "post"),
        ("/recommend/{user_id}", "get"),
        ("/similar", "post"),
        ("/items", "get"),
        ("/items/{item_id}", "get"),
        ("/items/{item_id}/similar", "get"),
        ("/users/{user_id}", "get"),
        ("/users/{user_id}/items", "get"),
        ("/model", "get"),
        ("/health", "get"),
        ("/ready", "get"),
        ("/bundles", "get"),
        ("/bundles/stage", "post"),
        ("/bundles/promote", "post"),
        ("/bundles/rollback", "post"),
        ("/bundles/unstage", "post"),
    }
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        refusal = operation["responses"]["503"]["content"]["application/json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/ProblemReply"}


def test_every_body_has_examples_and_every_key_is_told(document: Any) -> None:
    for path, methods in document["paths"].items():
        operation = methods.get("post", {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        assert content is None or content["examples"]
        assert ("security" in operation) == (path.startswith("/bundles/"))
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


def test_the_document_has_the_servers_limits(document: Any) -> None:
    fields = document["components"]["schemas"]["RecommendBody"]["properties"]
    limits = Limits()
    assert (fields["k"]["minimum"], fields["k"]["maximum"]) == (1, limits.max_k)
    assert fields["history"]["maxItems"] == limits.max_ids
    assert fields["history"]["items"] == {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert document["components"]["schemas"]["BatchBody"]["properties"]["requests"]["maxItems"] == limits.max_batch


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_what_is_sent_and_what_comes_back_are_as_the_document_says(
    fresh_app: FastAPI, document: Any, mode: schemathesis.GenerationMode
) -> None:
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_asgi("/openapi.json", fresh_app, config=config)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        told = document["paths"][operation.path][operation.method]
        takes = "requestBody" in told or any(one["in"] == "query" for one in told.get("parameters", ()))
        if mode is schemathesis.GenerationMode.NEGATIVE and not takes:
            continue  # any text may stand in a path

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case[Any]) -> None:
            got = case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"})
            if mode is schemathesis.GenerationMode.POSITIVE and got.status_code == 422:
                assert "not as it should be" not in got.text or "condition cannot be read" in got.text

        check()
