"""What has to agree between the Dockerfile, compose.yaml, deploy/ and the program, beyond what each format asks for.

    structure.py COMPOSE_CONFIG     the file that `docker compose config` printed without any setting

Prints every fault and ends with 1 when there is one. Runs in the project's folder.
"""

import re
import sys
from pathlib import Path

import yaml

FAULTS = []


def hold(condition, fault):
    if not condition:
        FAULTS.append(fault)


def seconds(text):
    """500ms, 5s, 2m, or a plain number."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", str(text)).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, None: 1}[unit]


def known():
    """Every variable of the server, from the list that it warns by."""
    source = Path("src/config/known.rs").read_text()
    lists = source.split("/// Whether a variable of that name is one of ours.")[0]
    return set(re.findall(r'"([A-Z][A-Z_0-9]+)"', lists)) | {"DATABASE_RLS"}


def drain(settings):
    return seconds(settings.get("SHUTDOWN_DELAY", 0)) + seconds(settings.get("SHUTDOWN_GRACE", "20s"))


def numeric_user(dockerfile):
    users = re.findall(r"^USER (.*)$", dockerfile.split("\nFROM ")[-1], re.M)
    hold(len(users) == 1 and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0]), f"Dockerfile: USER must be numeric and not root: {users}")
    number = re.match(r"\d+", users[0]) if users else None
    return int(number.group()) if number else None


def check_dockerfile():
    dockerfile = Path("Dockerfile").read_text()
    user = numeric_user(dockerfile)
    for line in ("STOPSIGNAL SIGTERM", 'CMD ["/usr/local/bin/creatorvault", "healthcheck"]'):
        hold(line in dockerfile, f"Dockerfile: no {line}")
    times = "HEALTHCHECK --interval=30s --timeout=3s --start-period=40s --retries=3"
    hold(times in dockerfile, f"Dockerfile: no {times}")
    version = re.search(r'^version = "(.*)"', Path("Cargo.toml").read_text(), re.M).group(1)
    hold(f"ARG VERSION={version}" in dockerfile, f"Dockerfile: VERSION is not Cargo.toml's {version}")
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.M):
        hold(image == "scratch" or re.search(r":[^/]*\d|:\$\{RUST_VERSION\}-slim-bookworm$", image), f"Dockerfile: {image} has no version")
    for folder in set(re.findall(r'include_(?:str|bytes|dir)!\("(?:\$CARGO_MANIFEST_DIR/|(?:\.\./)+)([^/"]+)', "".join(
        # What only tests read is not in the build.
        re.split(r"#\[cfg\(test\)\]\nmod \w+ \{", path.read_text())[0]
        for path in Path("src").rglob("*.rs") if path.name != "tests.rs"
    ))):
        hold(f"!{folder}" in Path(".dockerignore").read_text().split(), f".dockerignore: the build needs {folder}")
    return user, version


def check_compose(config, version, names):
    services = config["services"]
    hold(set(services) == {"postgres", "backend"}, f"compose.yaml: services are {sorted(services)}")
    postgres, backend = services["postgres"], services["backend"]
    hold(postgres["container_name"] == "creatorvault-postgres", "compose.yaml: the container of PostgreSQL has another name")
    hold(int(re.search(r":(\d+)", postgres["image"]).group(1)) >= 16, "compose.yaml: PostgreSQL is older than 16")
    hold("ports" not in postgres, "compose.yaml: PostgreSQL is reachable from outside")
    hold("pg_isready" in postgres["healthcheck"]["test"], "compose.yaml: PostgreSQL has no pg_isready")
    hold(backend["depends_on"]["postgres"]["condition"] == "service_healthy", "compose.yaml: backend does not wait for a healthy postgres")
    hold(backend["image"] == f"creatorvault:{version}", "compose.yaml: the image is not of this version")
    hold(backend["read_only"] is True and backend["cap_drop"] == ["ALL"], "compose.yaml: backend is not read-only, or has capabilities")
    hold("no-new-privileges:true" in backend["security_opt"], "compose.yaml: backend may gain privileges")
    settings = backend["environment"]
    hold(settings["DATABASE_URL"].startswith("postgresql://creatorvault:"), "compose.yaml: DATABASE_URL is not the service postgres")
    # It has its own database, so what names another one does not go in; DATABASE_PREPARED follows from the URL.
    elsewhere = {"NEON_DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_PREPARED"}
    hold(set(settings) == names - elsewhere, f"compose.yaml: backend's variables differ from the server's: {sorted(set(settings) ^ (names - elsewhere))}")
    said = {name for name, value in settings.items() if value is not None}
    hold(said == {"ENVIRONMENT", "HOST", "PORT", "DATABASE_URL"}, f"compose.yaml: without a setting it sets {sorted(said)}")
    hold(seconds(backend["stop_grace_period"]) > drain({"SHUTDOWN_DELAY": "5s"}), "compose.yaml: stop_grace_period is too short")


def check_kubernetes(user, version, names):
    documents = {}
    for path in sorted(Path("deploy/kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            hold(document["kind"] not in documents, f"{path}: a second {document['kind']}")
            documents[document["kind"]] = document
    kinds = {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
    hold(set(documents) == kinds, f"deploy/kubernetes: has {sorted(documents)}; a Secret is never among them")
    settings = documents["ConfigMap"]["data"]
    hold(set(settings) <= names, f"configmap.yaml: unknown {sorted(set(settings) - names)}")
    hold(not [name for name in settings if re.search("SECRET|DATABASE_U|DIRECT_URL|REDIS_URL", name)], "configmap.yaml: holds a secret")

    spec = documents["Deployment"]["spec"]
    rolling = spec["strategy"]["rollingUpdate"]
    hold(spec["replicas"] >= 2 and rolling["maxUnavailable"] == 0, "deployment.yaml: an upgrade leaves too few replicas")
    pod = spec["template"]["spec"]
    hold(pod["terminationGracePeriodSeconds"] > drain(settings), "deployment.yaml: terminationGracePeriodSeconds is too short")
    hold(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == user, "deployment.yaml: not the image's user")
    hold(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "deployment.yaml: no seccomp profile")
    (container,) = pod["containers"]
    hold(container["image"].endswith(f"creatorvault:{version}"), "deployment.yaml: the image is not of this version")
    fence = container["securityContext"]
    hold(fence["readOnlyRootFilesystem"] and not fence["allowPrivilegeEscalation"], "deployment.yaml: the container may write or gain privileges")
    hold(fence["capabilities"] == {"drop": ["ALL"]}, "deployment.yaml: the container has capabilities")
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    hold(probes == {"startup": "/health", "liveness": "/health", "readiness": "/health/ready"}, f"deployment.yaml: probes ask {probes}")
    ready = container["readinessProbe"]
    hold(ready["periodSeconds"] * ready["failureThreshold"] <= seconds(settings["SHUTDOWN_DELAY"]), "deployment.yaml: readiness notices later than SHUTDOWN_DELAY")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    hold(ports["http"] == 8000, "deployment.yaml: the port is not PORT's default")
    hold(settings["METRICS_ADDRESS"].endswith(f":{ports['metrics']}"), "deployment.yaml: the metrics' port is not METRICS_ADDRESS's")
    sources = {kind: source["name"] for one in container["envFrom"] for kind, source in one.items()}
    hold(sources == {"configMapRef": "creatorvault", "secretRef": "creatorvault"}, f"deployment.yaml: settings come from {sources}")

    label = {"app.kubernetes.io/name": "creatorvault"}
    selectors = [
        spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"], documents["Service"]["spec"]["selector"],
        documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    hold(all(selector == label for selector in selectors), f"deploy/kubernetes: selectors differ: {selectors}")


def check_systemd():
    unit = dict(re.findall(r"^(\w+)=(.*)$", Path("deploy/systemd/creatorvault.service").read_text(), re.M))
    hold(seconds(unit["TimeoutStopSec"]) > drain({"SHUTDOWN_DELAY": "5s"}), "creatorvault.service: TimeoutStopSec is too short")
    hold(unit["Restart"] == "on-failure", "creatorvault.service: is not restarted on failure")


def check_proxies():
    nginx = Path("deploy/nginx/creatorvault.conf").read_text()
    hold(not re.search(r"^\s*proxy_next_upstream .*non_idempotent", nginx, re.M), "creatorvault.conf: would send a POST twice")
    for path in Path("deploy/traefik").glob("*.yaml"):
        text = yaml.safe_dump(yaml.safe_load(path.read_text()))
        hold("retry" not in text, f"{path}: would send a POST twice")


def check_names(names):
    """Every variable that the page about deployment sets or puts into code type is one of the server's."""
    others = {"VERSION", "REVISION", "RUST_VERSION", "POSTGRES_PASSWORD", "BIND", "SIGTERM", "HEALTHCHECK", "POST", "PATCH", "DELETE", "PUT", "GET"}
    page = Path("docs/deployment.md").read_text()
    found = set(re.findall(r"`([A-Z][A-Z_]{2,})(?:=[^`]*)?`", page)) | set(re.findall(r"\b([A-Z][A-Z_]{3,})=", page))
    hold(found <= names | others, f"docs/deployment.md: unknown {sorted(found - names - others)}")


names = known()
user, version = check_dockerfile()
check_compose(yaml.safe_load(Path(sys.argv[1]).read_text()), version, names)
check_kubernetes(user, version, names)
check_systemd()
check_proxies()
check_names(names)
for fault in FAULTS:
    print(fault)
sys.exit(1 if FAULTS else 0)
