#!/usr/bin/env python3
"""Has Schemathesis try every operation of the document against the real program, with all its phases and checks, two
users, on SQLite and on the PostgreSQL server whose URL is given: both at a time.

    tests/schemathesis/run.py target/debug/creatorvault postgresql://… [--minutes N] [--seed N]

Without --minutes each operation is tried a bounded number of times from a fixed seed, so that two runs are the same;
with it as long as that, from another seed each time. What fails is printed with the curl that shows it again. To be
run with the Python of a virtual environment that has requirements.txt.
"""

import argparse
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "".join(random.SystemRandom().choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=48))
EXAMPLES = 10  # cases for each operation and phase


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """The program with a database of its own, in a folder of its own."""

    def __init__(self, program, folder, database):
        self.folder, self.port = folder, free_port()
        variables = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        variables |= {"BETTER_AUTH_SECRET": SECRET, "DATABASE_URL": database, "PORT": str(self.port), "RATE_LIMIT": "off"}
        variables["DATABASE_SCHEMA"] = f"schemathesis_{self.port}"  # SQLite has none and does not ask
        tokens = {user: self.token(program, variables, user) for user in ("alice", "bob")}
        users = [
            {"name": user, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
            for user, token in tokens.items()
        ]
        (folder / "users.json").write_text(json.dumps({"auth": users}))
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([program, "serve"], cwd=folder, env=variables, stdout=log, stderr=log)

    def token(self, program, variables, user):
        command = [program, "token", "new", "--user", user, "--ttl", "24h"]
        run = subprocess.run(command, cwd=self.folder, env=variables, check=True, capture_output=True, text=True)
        return run.stdout.split()[-1]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self):
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.url("/health/ready"), timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"the server did not become ready:\n{(self.folder / 'log').read_text()}")

    def end(self):
        self.process.terminate()
        return self.process.wait(timeout=60)


def begin(server, minutes, seed):
    """Starts Schemathesis on a server; what it says goes to a file."""
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"),
        "run", server.url("/openapi.json"), "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful",
        "--seed", str(seed), "--no-color",
    ]  # fmt: skip
    command += ["--max-time", str(minutes * 60)] if minutes else ["--max-examples", str(EXAMPLES)]
    with (server.folder / "said").open("wb") as said:
        environment = os.environ | {"PYTHONPATH": str(HERE)}
        return subprocess.Popen(command, cwd=server.folder, env=environment, stdout=said, stderr=said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("postgres", help="the URL of a database in which a schema may be made")
    parser.add_argument("--minutes", type=int, default=0)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32) if asked.minutes else 1
    failed = False
    with tempfile.TemporaryDirectory(prefix="creatorvault-schemathesis.") as folder:
        runs = []
        for engine in ("SQLite", "PostgreSQL"):
            place = pathlib.Path(folder) / engine
            place.mkdir()
            server = Server(asked.program, place, "sqlite://tried.db" if engine == "SQLite" else asked.postgres)
            server.wait()
            runs.append((engine, server, begin(server, asked.minutes, seed)))
        for engine, server, tried in runs:
            status = tried.wait()
            ended = server.end()
            said = (server.folder / "said").read_text()
            if status or ended:
                failed = True
                print(f"== {engine}: Schemathesis ended with {status}, the server with {ended}\n{said}")
                print("\n".join((server.folder / "log").read_text().splitlines()[-20:]))
            else:
                print(f"{engine}: {said.strip().splitlines()[-1].strip(' =')}, seed {seed}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
