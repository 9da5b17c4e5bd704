"""The attacked service, with a limit of its memory, and its Redis."""

import contextlib
import subprocess

from services import SECRET, Service, certificate, is_ready, redis_call, start_redis
from system import free_port, wait_for

MIB = 1 << 20
MEMORY_BYTES = 512 * MIB
CONNECTIONS_MAX = 300
ATTACKER, WITNESS = "key-of-the-attacker", "key-of-the-witness"


class Target:
    """A service with two clients, and values that are hard to bear."""

    def __init__(self, stage, program):
        self.connections_max = CONNECTIONS_MAX
        _, ports = start_redis(stage, replicas=1)
        self.redis = ports[0]
        self.port, self.admin = free_port(), free_port()
        config = stage.write("attacked.config", self.settings(program, ports, certificate(stage)))
        # RLIMIT_DATA needs no privileges. It counts addresses, so the allocator may not keep those that it does not use.
        limits = ["env", "_RJEM_MALLOC_CONF=retain:false", "prlimit", f"--data={MEMORY_BYTES}"]
        command = [*limits, program, "serve", "--config", config]
        self.process = stage.start("attacked", command, self.port)
        wait_for("the service to be ready", lambda: is_ready(self.admin), self.process)
        self.token = Service(self.process, self.port, True).post("/login", {"api_key": ATTACKER})["access_token"]
        self.fill()
        self.at_rest, _ = self.resident()

    def settings(self, program, ports, files):
        text = (
            f"[redis]\nhost=127.0.0.1\nport={ports[0]}\nreplicas=127.0.0.1:{ports[1]}\n"
            f"[service]\nHOST=127.0.0.1\nPORT={self.port}\nADMIN_PORT={self.admin}\nTLS_CERT={files[0]}\nTLS_KEY={files[1]}\n"
            f"JWT_SECRET_KEY={SECRET}\nCONNECTIONS_MAX={self.connections_max}\nIDLE_TIMEOUT_SECS=10\nLOG_LEVEL=warn\n"
        )
        for name, key in (("attacker", ATTACKER), ("witness", WITNESS)):
            hashed = subprocess.run([program, "hash-key"], input=key, check=True, capture_output=True, text=True).stdout
            text += f"[client:{name}]\n{hashed.strip()}\nscopes=read,write,delete\nnamespace=*\n"
        return text

    def fill(self):
        """Stores what the attacks read, past the service."""
        for number in range(64):
            redis_call(self.redis, "SET", f"mib{number}", b"m" * MIB)
        for number in range(8):
            redis_call(self.redis, "SET", f"large{number}", b"l" * (8 * MIB))
        redis_call(self.redis, "SET", "controls", b"\x01" * (20 * MIB))
        redis_call(self.redis, "SET", "huge", b"h" * (70 * MIB))
        redis_call(self.redis, "RPUSH", "list", "item")

    def is_alive(self):
        return self.process.child.poll() is None

    def resident(self):
        """Returns the resident memory and its peak since the last `forget_peak`, in bytes."""
        found = {}
        with contextlib.suppress(OSError), open(f"/proc/{self.process.child.pid}/status") as status:
            for line in status:
                name, _, rest = line.partition(":")
                if name in ("VmRSS", "VmHWM"):
                    found[name] = int(rest.split()[0]) * 1024
        return found.get("VmRSS", 0), found.get("VmHWM", 0)

    def forget_peak(self):
        with open(f"/proc/{self.process.child.pid}/clear_refs", "w") as file:
            file.write("5")

    def log(self):
        with open(self.process.log, errors="replace") as log:
            return log.read()
