"""The same service in the usual Python way: Flask, a JWT in every request, a pool of connections to Redis."""

import os
import time

import flask
import jwt
import redis

SECRET = os.environ["BENCH_SECRET"]
service = flask.Flask(__name__)
store = redis.Redis(port=int(os.environ["BENCH_REDIS_PORT"]), decode_responses=True)


@service.post("/login")
def login():
    if flask.request.get_json()["api_key"] != SECRET:
        return {"status": "ERROR"}, 401
    claims = {"sub": "bench", "exp": int(time.time()) + 7200}
    return {"access_token": jwt.encode(claims, SECRET, algorithm="HS256")}


@service.post("/cache")
def cache():
    token = flask.request.headers["authorization"].removeprefix("Bearer ")
    jwt.decode(token, SECRET, algorithms=["HS256"])
    command = flask.request.get_json()
    if command["command"] != "READ":
        return {"status": "ERROR"}, 400
    value = store.get(command["key"])
    if value is None:
        return {"command": "READ", "status": "NOT_FOUND"}, 404
    return {"command": "READ", "status": "SUCCESS", "value": value}
