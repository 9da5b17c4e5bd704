"""Starts Cachefront, the services that it is compared with, and their Redis."""

import http.client
import json
import os
import socket
import ssl
import subprocess

import programs
from system import free_port, listens, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = programs.TARGET
SECRET = "a-secret-of-the-benchmark-0123456789"
PYTHON = "/usr/bin/python3"


class Service:
    """A running service with its port and token."""

    def __init__(self, process, port, tls, token=None):
        self.process, self.port, self.tls, self.token = process, port, tls, token
        self.admin = None

    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    def post(self, path, body):
        """Sends one request, and returns the JSON of the response."""
        context = ssl._create_unverified_context()
        connection = (
            http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
            if self.tls
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        )
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"bench: {self.process.name} answered {answer.status}: {text[:500]}")
        return json.loads(text)


def redis_call(port, *words):
    """Sends one command to Redis, and returns the first line of the reply, or the text of a bulk string."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        with connection.makefile("rb") as answer:
            line = answer.readline().strip()
            return answer.read(int(line[1:])) if line.startswith(b"$") and line != b"$-1" else line


def start_redis(stage, replicas=0, cpus=()):
    """Starts a master and its replicas, each on one of the CPUs. Returns processes and ports, the master's first."""
    processes, ports = [], []
    for number in range(1 + replicas):
        port = free_port()
        of_master = ["--replicaof", "127.0.0.1", str(ports[0])] if number else []
        processes.append(
            stage.start(
                f"redis-{port}",
                [programs.path("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
                + ["--repl-diskless-sync-delay", "0", "--dir", stage.folder, "--dbfilename", f"{port}.rdb", *of_master],
                port,
                cpus=cpus and {cpus[number % len(cpus)]},
            )
        )
        ports.append(port)
    for port in ports[1:]:
        wait_for("a replica", lambda port=port: b"master_link_status:up" in redis_call(port, "INFO", "replication"))
    return processes, ports


def certificate(stage):
    """Returns the paths of a certificate for localhost and its key, which may be beside the programs, and else are made."""
    given = programs.find("cert.pem"), programs.find("key.pem")
    if all(given):
        return given
    files = stage.path("cert.pem"), stage.path("key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-addext", "basicConstraints=critical,CA:FALSE", "-out", files[0], "-keyout", files[1]],
        check=True,
        capture_output=True,
    )
    return files


def start_cachefront(stage, name, shards, files, near=False, cpus=()):
    """Starts Cachefront. `shards` are lists of ports, the master's first. `near` enables the near cache. It has a worker for
    each of its CPUs, which are all by default."""
    port, admin = free_port(), free_port()
    sections = "".join(
        f"[shard:s{number}]\nmaster=127.0.0.1:{ports[0]}\n" + (f"replicas={', '.join(f'127.0.0.1:{port}' for port in ports[1:])}\n" if ports[1:] else "")
        for number, ports in enumerate(shards)
    )
    config = stage.write(
        f"{name}.config",
        f"[redis]\nkey_expire_secs=0\n[service]\nHOST=127.0.0.1\nPORT={port}\nADMIN_PORT={admin}\nWORKERS={len(cpus)}\nCONNECTIONS_MAX=15000\nCONNECTIONS_PER_ADDRESS_MAX=15000\n"
        f"TLS_CERT={files[0]}\nTLS_KEY={files[1]}\nJWT_SECRET_KEY={SECRET}\nSRVC_SHARED_SECRET={SECRET}\n"
        f"JWT_EXPIRE_SECS=7200\nIDLE_TIMEOUT_SECS=600\nENCRYPTION_KEY={'0123456789abcdef' * 4}\n"
        f"[near_cache]\nenabled={str(near).lower()}\n{sections}",
    )
    service = Service(stage.start(name, [programs.path("cachefront"), "serve", "--config", config], port, cpus=cpus), port, True)
    wait_for(f"{name} to be ready", lambda: is_ready(admin), service.process)
    service.token = service.post("/login", {"api_key": SECRET})["access_token"]
    service.admin = admin
    return service


def is_ready(port):
    if not listens(port):
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/readyz")
    status = connection.getresponse().status
    connection.close()
    return status == 200


def start_bare(stage, files, token, cpus=()):
    """Starts the server with a constant answer. It ignores the token, which makes its requests as long as the others."""
    port = free_port()
    return Service(stage.start(f"bare-{port}", [programs.path("bare"), str(port), *files], port, cpus=cpus), port, True, token)


def start_webdis(stage, redis_port, threads=2, cpus=()):
    port = free_port()
    config = {
        "redis_host": "127.0.0.1", "redis_port": redis_port, "http_host": "127.0.0.1", "http_port": port, "threads": threads,
        "pool_size": 20, "daemonize": False, "database": 0, "verbosity": 0, "logfile": stage.path("webdis.out"),
        "pidfile": stage.path("webdis.pid"),
    }  # fmt: skip
    path = stage.write("webdis.json", json.dumps(config))
    return Service(stage.start("webdis", [programs.path("webdis"), path], port, cpus=cpus), port, False)


def start_upstash(stage, redis_port):
    """Starts a bridge with the REST protocol of Upstash. It has one thread."""
    port = free_port()
    environment = {"URS_TOKEN": SECRET, "PORT": str(port), "REDIS_URL": f"redis://127.0.0.1:{redis_port}"}
    return Service(stage.start("upstash", [programs.path("upstash-redis-server")], port, environment), port, False, SECRET)


def has_nginx():
    """Returns whether nginx and its Lua module are installed."""
    return bool(programs.find("nginx")) and os.path.exists("/usr/lib/nginx/modules/ngx_http_lua_module.so")


def start_nginx(stage, redis_port, files, workers=2, cpus=()):
    port = free_port()
    with open(os.path.join(HERE, "nginx.conf")) as template:
        text = template.read()
    for name, value in {
        "FOLDER": stage.folder, "PORT": port, "REDIS_PORT": redis_port, "CERTIFICATE": files[0], "KEY": files[1], "WORKERS": workers,
    }.items():  # fmt: skip
        text = text.replace(f"@{name}@", str(value))
    path = stage.write("nginx.conf", text)
    return Service(stage.start("nginx", [programs.path("nginx"), "-c", path, "-e", stage.path("nginx.err")], port, cpus=cpus), port, True)


def start_flask(stage, redis_port, files):
    port = free_port()
    arguments = [PYTHON, programs.path("gunicorn"), "--chdir", HERE, "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    arguments += ["--worker-class", "gthread", "--threads", "32", "--keep-alive", "60", "--log-level", "error"]
    arguments += ["--certfile", files[0], "--keyfile", files[1], "flask_service:service"]
    environment = {"BENCH_REDIS_PORT": str(redis_port), "BENCH_SECRET": SECRET, "PYTHONDONTWRITEBYTECODE": "1"}
    service = Service(stage.start("flask", arguments, port, environment), port, True)
    service.token = service.post("/login", {"api_key": SECRET})["access_token"]
    return service
