"""Hooks of schemathesis, which scripts/check_service.py runs."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    """Leaves out requests that schemathesis would judge wrongly.

    - It takes the sync token `0` for one that has the pattern of the description, and expects that unknown headers are refused.
    - The description says only in words that a key may be an integer, so that generated clients take a string, and that a value
      must be base64 where `encoding` says so.
    - It expects that a batch with an invalid command is refused. It is answered, and the reply to that command is an error.
    """
    headers = case.headers or {}
    commands = case.body if isinstance(case.body, list) else [case.body]
    commands = [command for command in commands if isinstance(command, dict)]
    is_invalid = case.meta is not None and case.meta.generation.mode.is_negative
    return (
        headers.get("cache-sync-token") != "0"
        and not (is_invalid and isinstance(case.body, list))
        and "x-schemathesis-unknown-property" not in headers
        and not any(isinstance(command.get("key"), int) or command.get("encoding") for command in commands)
    )
