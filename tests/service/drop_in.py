"""A client as the users of the Python service have it: drop_in.py URL API_KEY CA_FILE"""

import json
import ssl
import sys
import time
import urllib.request


class CacheClient:
    def __init__(self, url, secret, ca_file):
        self.url = url
        self.context = ssl.create_default_context(cafile=ca_file)
        payload = {"client_id": "reports", "api_key": secret, "grant_type": "client_credentials"}
        self.token = self.post("/login", payload)["access_token"]

    # urlopen raises HTTPError on every 4xx and 5xx, as `raise_for_status` does.
    def post(self, path, payload, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, json.dumps(payload).encode(), headers, method="POST")
        with urllib.request.urlopen(request, context=self.context, timeout=10) as response:
            return json.load(response)

    def command(self, **fields):
        return self.post("/cache", fields, {"Authorization": f"Bearer {self.token}"})

    def get(self, key):
        reply = self.command(command="READ", key=key)
        return reply["value"] if reply["status"] == "SUCCESS" else None


def main():
    client = CacheClient(*sys.argv[1:4])
    assert client.get("drop-in:missing") is None
    for value in ["plain", "", "größer ✓", "line\nbreak"]:
        reply = client.command(command="WRITE", key="drop-in:k", value=value, expire=60)
        assert reply == {"command": "WRITE", "status": "SUCCESS", "value": value}, reply
        deadline = time.monotonic() + 10
        while client.get("drop-in:k") != value:
            assert time.monotonic() < deadline, f"{value!r} was never read back"
    reply = client.command(command="DELETE", key="drop-in:k")
    assert reply == {"command": "DELETE", "message": "drop-in:k Key deleted", "status": "SUCCESS"}, reply
    reply = client.command(command="DELETE", key="drop-in:k")
    assert reply["status"] == "NOT_FOUND", reply
    print("all as before")


main()
