"""The files of deploy/ match the server's settings, metrics, paths and timeouts."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from aiohttp.test_utils import make_mocked_request

from handlers.kit.networks import network_of
from handlers.kit.rules import KitRules
from handlers.platform.uploads.service import PART_SIZE, WHOLE_MAX
from server.app import App
from server.settings import read_settings
from tests.parts.proxies import HAPROXY, NGINX
from tests.world import ROOT, SECRET, settings_of

DEPLOY = ROOT / "deploy"
MANIFESTS = DEPLOY / "kubernetes"
FINISHING_S = 15
"""The time that an instance may need after its drain."""


def read_yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


COMPOSE = read_yaml(DEPLOY / "compose.yaml")
KUBERNETES = {
    manifest["kind"]: manifest for manifest in map(read_yaml, sorted(MANIFESTS.glob("*.yaml")))
}
POD = KUBERNETES["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def environment_of(instance: dict[str, Any]) -> dict[str, str]:
    """The environment of a compose service, with the variables of a complete .env."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    filled = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    filled |= {"PARLEY_SECRET": SECRET, "POSTGRES_PASSWORD": "secret"}

    def fill(text: str) -> str:
        return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: filled[found[1]], text)

    return {name: fill(text) for name, text in instance["environment"].items()}


INSTANCES = {name: one for name, one in COMPOSE["services"].items() if name.startswith("parley-")}
ENVIRONMENTS = {
    "compose": environment_of(INSTANCES["parley-1"]),
    "kubernetes": {
        **KUBERNETES["ConfigMap"]["data"],
        **KUBERNETES["Secret"]["stringData"],
        "PARLEY_SECRET": SECRET,
    },
}


@pytest.mark.parametrize("environ", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_settings_of_each_deployment_are_valid(environ):
    settings = read_settings(environ)
    assert settings.shared
    assert settings.environment.redis_url
    assert settings.environment.trusted_proxies
    assert settings.rules.of(KitRules).public_url.startswith("https://")


def test_the_placeholder_of_the_secret_is_refused():
    environ = KUBERNETES["Secret"]["stringData"]
    with pytest.raises(Exception, match="PARLEY_SECRET needs"):
        read_settings(environ)


def test_the_environment_of_the_image_has_valid_settings():
    line = re.search(r"^ENV (.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert line
    read_settings(dict(pair.split("=") for pair in line[1].split()))


def test_kubernetes_service_links_are_disabled():
    assert POD["enableServiceLinks"] is False


def test_the_grace_periods_are_long_enough_to_drain():
    drain_s = {name: float(environ["PARLEY_DRAIN_S"]) for name, environ in ENVIRONMENTS.items()}
    for instance in INSTANCES.values():
        grace_s = int(instance["stop_grace_period"].removesuffix("s"))
        assert grace_s >= drain_s["compose"] + FINISHING_S
    before_s = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    grace_s = POD["terminationGracePeriodSeconds"]
    assert grace_s >= before_s + drain_s["kubernetes"] + FINISHING_S


@pytest.fixture
def app(tmp_path) -> App:
    return App(settings_of(tmp_path, f"sqlite:///{tmp_path}/parley.db"))


def paths_of(app: App) -> set[str]:
    """The paths that the server has, each up to its first variable."""
    routes = (route.resource.canonical for route in app.web.router.routes() if route.resource)
    return {route.split("{")[0] for route in routes}


def test_the_paths_of_health_checks_exist(app):
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    asked = {CONTAINER[probe]["httpGet"]["path"] for probe in probes}
    texts = [file.read_text() for file in (DEPLOY / "Dockerfile", HAPROXY.file)]
    texts += [str(instance["healthcheck"]) for instance in INSTANCES.values()]
    asked |= {path for text in texts for path in re.findall(r"/health/\w+", text)}
    assert asked == {"/health/live", "/health/ready"}
    assert asked <= paths_of(app)


def test_the_ingress_routes_all_public_paths(app):
    rules = KUBERNETES["Ingress"]["spec"]["rules"][0]["http"]["paths"]

    def is_routed(path: str) -> bool:
        return any(
            path == rule["path"]
            or (rule["pathType"] == "Prefix" and path.startswith(rule["path"].rstrip("/") + "/"))
            for rule in rules
        )

    assert {path for path in paths_of(app) if not is_routed(path)} == {"/metrics"}


def test_the_ingress_accepts_the_largest_body_of_an_upload():
    annotations = KUBERNETES["Ingress"]["metadata"]["annotations"]
    most = annotations["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert most.endswith("m")
    assert int(most[:-1]) << 20 >= max(WHOLE_MAX, PART_SIZE)


def test_the_autoscaler_uses_an_existing_metric(app):
    target = KUBERNETES["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]
    names = {metric.name for metric in app.metrics.registry.collect()}
    assert target["metric"]["name"] in names
    rule = (MANIFESTS / "autoscaling.yaml").read_text()
    assert f"seriesQuery: {target['metric']['name']}{{" in rule


def test_all_manifests_are_listed_and_select_the_same_pods():
    listed = KUBERNETES["Kustomization"]["resources"]
    files = {file.name for file in MANIFESTS.glob("*.yaml")}
    assert sorted(listed) == sorted(files - {"kustomization.yaml"})
    deployment = KUBERNETES["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert KUBERNETES[kind]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["Service"]["spec"]["selector"] == labels
    scaled = KUBERNETES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert scaled["name"] == deployment["metadata"]["name"]


IMAGE = re.compile(r"[\w./-]+:[\w.-]+@(sha256:[0-9a-f]{64}|\$\{\w+:\?\})")
"""Pinned by a digest, or by a required variable."""


def test_all_images_are_pinned_by_digest():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    python = re.search(r"^ARG PYTHON=(.+)$", dockerfile, re.MULTILINE)
    assert python
    assert IMAGE.fullmatch(python[1])
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert set(bases) == {"${PYTHON}"}
    for name, service in COMPOSE["services"].items():
        assert "build" in service or IMAGE.fullmatch(service["image"]), name
    [own] = KUBERNETES["Kustomization"]["images"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", own["digest"])
    assert "newTag" not in own
    assert [own["name"]] == [one["image"] for one in POD["containers"]]


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
def test_compose_containers_have_minimal_privileges(service):
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("cap_add")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert {"memory", "cpus"} <= set(service["deploy"]["resources"]["limits"])


def test_the_pod_has_minimal_privileges():
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["automountServiceAccountToken"] is False
    for container in POD["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert all("sizeLimit" in volume["emptyDir"] for volume in POD["volumes"])


def test_only_the_ingress_and_prometheus_reach_the_pods():
    policy = KUBERNETES["NetworkPolicy"]["spec"]
    labels = KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    for peer in rule["from"]:  # both selectors in one peer: the namespace and the pod must match
        assert all(peer[kind]["matchLabels"] for kind in ("namespaceSelector", "podSelector"))
    namespaces = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["from"]
    }
    assert namespaces == {"ingress-nginx", "monitoring"}


@pytest.mark.parametrize("address", ["10.244.1.9", "192.168.0.1", "169.254.169.254", "127.0.0.1"])
def test_egress_to_ip_blocks_excludes_private_addresses(address):
    for rule in KUBERNETES["NetworkPolicy"]["spec"]["egress"]:
        assert rule["ports"], "a rule without ports allows all ports"
        for block in (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer):
            network = ipaddress.ip_network(block["cidr"])
            excepted = [ipaddress.ip_network(one) for one in block.get("except", ())]
            asked = ipaddress.ip_address(address)
            assert asked not in network or any(asked in one for one in excepted)


@pytest.mark.parametrize(
    ("where", "proxy", "others"),
    [
        ("compose", "172.30.77.2", ["172.30.77.130", "172.30.77.1"]),
        ("kubernetes", "10.244.255.3", ["10.244.1.9", "10.244.255.17", "10.96.0.1"]),
    ],
)
def test_forwarded_addresses_are_trusted_only_from_the_proxy(where, proxy, others):
    settings = read_settings(ENVIRONMENTS[where])

    def address_of(peer: str) -> str:
        transport = Mock()
        transport.get_extra_info = lambda name: (peer, 40_000) if name == "peername" else None
        headers = {"X-Forwarded-For": "203.0.113.9"}
        request = make_mocked_request("GET", "/", headers=headers, transport=transport)
        return settings.address_of(request)

    assert address_of(proxy) == "203.0.113.9"
    for other in others:
        assert address_of(other) == other


def test_the_compose_proxy_has_the_trusted_address():
    front = COMPOSE["services"]["proxy"]["networks"]["front"]["ipv4_address"]
    assert ENVIRONMENTS["compose"]["PARLEY_TRUSTED_PROXIES"] == front
    [pool] = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert ipaddress.ip_address(front) in ipaddress.ip_network(pool["subnet"])
    assert ipaddress.ip_address(front) not in ipaddress.ip_network(pool["ip_range"])


def test_the_proxy_files_list_the_instances_of_compose():
    for file in (NGINX.file, HAPROXY.file):
        named = set(re.findall(r"\b(parley-\d+):8000", file.read_text()))
        assert named == set(INSTANCES), file.name


def copied_paths() -> Iterator[str]:
    """The paths that the Dockerfile copies from the checkout."""
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            yield from line.split()[1:-1]


def test_the_image_gets_all_that_the_server_needs():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied_paths())
    for path in copied_paths():
        assert (ROOT / path).exists(), path
    assert set(copied_paths()) >= {"run.py", "server", "handlers", "rooms", "storage", "static"}


NETWORK = re.compile(r'^ +"~(\^.+)" \$net;', re.MULTILINE)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("203.0.113.9", "203.0.113.10"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:3:3:4:5:6"),
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("2001:db8::1", "2001:db8:0:1::1"),
    ],
)
def test_nginx_groups_addresses_into_the_same_networks_as_the_server(address, other):
    patterns = [
        text.replace("?<net>", "?P<net>") for text in NETWORK.findall(NGINX.file.read_text())
    ]
    assert len(patterns) == 2

    def counted_as(one: str) -> str:
        found = (re.match(pattern, one) for pattern in patterns)
        return next((match["net"] for match in found if match), one)

    assert counted_as(address) != counted_as(other)
    if ":" in address:
        neighbour = address.rpartition(":")[0] + ":ffff"
        assert network_of(neighbour) == network_of(address)
        assert counted_as(neighbour) == counted_as(address)
