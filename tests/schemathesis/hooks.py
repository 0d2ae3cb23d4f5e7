"""What Schemathesis cannot know of the server from the document alone, with the reason beside each.

Everything else that it finds is a fault of the document or of the server.
"""

import itertools

import schemathesis

REPEATED = itertools.count()

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
