"""What Schemathesis cannot know of the server from the document alone, with the reason beside each.

Everything else that it finds is a fault of the document or of the server.
"""

import collections
import itertools
import json
import pathlib
import urllib.parse
import uuid

import requests
import schemathesis

REPEATED = itertools.count()
PROBED = collections.Counter()
PROBES = 5  # rows for each operation that makes some

# Complaints about values that a schema cannot tell from good ones.
BEYOND_A_SCHEMA = (
    # Patterns of JSON Schema know no calendar: 23:59 before the first day of the year 0001 is written like any time.
    "must lie in the years 0001 to 9999 in UTC",
    # Which names of time zones there are is in a database with hundreds of them.
    "tz must be an IANA time zone",
    # How many different tags stand in one comma-separated text.
    "tags can be asked for at once",
)


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_positive(case):
        return
    # A cursor is good only as it stood in a Link header: the walks of tests/api/pages_walk.rs take it from there.
    if case.query and "cursor" in case.query:
        del case.query["cursor"]
    # A key is for one request. Sent with another it is refused, and sent again it is answered as before, with the id
    # alone where the row is gone: tests/api/repeats.rs does all of it.
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if key:
        case.headers["Idempotency-Key"] = f"{key[:200]}{next(REPEATED)}"


def bob():
    users = json.loads(pathlib.Path("users.json").read_text())["auth"]
    headers = next(user["fixedHeaders"] for user in users if user["name"] == "bob")
    return {header["name"]: header["value"] for header in headers}


@schemathesis.check
def rows_of_others_are_as_unknown_ones(ctx, response, case):
    """Whatever alice makes is for bob what a random id is, to read, to change and to remove.

    `object_level_authorization` looks for bodies that are the same for both, but every answer names the user who asks.
    """
    label = case.operation.label
    if case.method != "POST" or response.status_code != 201 or PROBED[label] >= PROBES:
        return
    PROBED[label] += 1
    made, unknown = response.json()["id"], str(uuid.uuid4())
    root = urllib.parse.urljoin(response.request.url, "/")
    bases = ["api/v1/ideas"] if "/ideas" in case.path else ["api/v1/tasks", "api/tasks"]
    for base in bases:
        for method, body in (("GET", None), ("PATCH", {"title": "Bob's"}), ("DELETE", None)):
            told = []
            for row in (made, unknown):
                answer = requests.request(method, f"{root}{base}/{row}", json=body, headers=bob(), timeout=30)
                correlation = answer.headers["X-Correlation-ID"]
                told.append((answer.status_code, answer.text.replace(row, "…").replace(correlation, "…")))
            assert told[0] == told[1], f"{method} {base}/{made} as bob: {told[0]}, but of a random id {told[1]}"


def complaints(answer):
    """Everything that a 422 complains about, in either contract's form."""
    body = answer.json()
    if isinstance(body.get("detail"), str):
        return body["detail"].split("; ")
    fields = body.get("error", {}).get("details", {}).get("fields", {})
    return [text for texts in fields.values() for text in texts]


def tells_of_each(case, answer):
    """Whether a batch that is not atomic was answered with what is wrong with its operations, each by itself."""
    if not case.path.endswith("/batch") or answer.status_code != 200:
        return False
    return any(result["status"] in (404, 412, 422) for result in answer.json()["results"])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ == "RejectedPositiveData" and response.status_code == 422:
        told = complaints(response)
        # JSON Schema calls 7.0 an integer; the server takes only digits for a task's number.
        if case.path.endswith("/batch") and all("Invalid task id" in one for one in told):
            return not any(isinstance(operation.get("id"), float) for operation in case.body["operations"])
        return not told or not all(any(text in one for text in BEYOND_A_SCHEMA) for one in told)
    # The document says so of such a batch; the check only looks at the status of the whole.
    return not (type(failure).__name__ == "AcceptedNegativeData" and tells_of_each(case, response))
