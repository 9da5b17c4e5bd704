"""A small client for the recipes. It logs in once, and again when its token has expired. The connection stays open."""

import os

import requests

TIMEOUT_SECS = 10


class UnexpectedReply(Exception):
    """A reply with a status that its caller does not handle, such as an error of the service."""


class Cache:
    def __init__(self):
        self.url = os.environ["CACHEFRONT_URL"].rstrip("/")
        self.ca = os.environ.get("CACHEFRONT_CA") or True
        self.session = requests.Session()
        self.log_in()

    def log_in(self):
        answer = self.post("/login", {"api_key": os.environ["CACHEFRONT_API_KEY"]})
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def run(self, command, *also):
        """Sends a command, or a list of them as a batch. Raises if a status is neither SUCCESS nor one of `also`."""
        answer = self.post("/cache", command)
        if answer.status_code == 401:
            # The command did not run, because the token has expired.
            self.log_in()
            answer = self.post("/cache", command)
        reply = answer.json()
        for each in reply if isinstance(reply, list) else [reply]:
            if each["status"] not in ("SUCCESS", *also):
                raise UnexpectedReply(each)
        return reply

    def post(self, path, body):
        return self.session.post(self.url + path, json=body, verify=self.ca, timeout=TIMEOUT_SECS)
