"""What is under deploy/ is read by the program that it is for, or by that program's schema; no cluster is needed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import helm_python
import kubernetes_validate
import pytest
import yaml

from app.machine.servers import postgres_programs
from tests import proxy
from tests.described import described
from tests.unit.deploy.test_alerts import ALERTS, ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm"
KUBERNETES = ("1.31", "1.34", "1.37")
TRIAL = {"secrets": {"databaseUrl": "postgresql://x", "redisUrl": "redis://y"}}
OWN_KINDS = {"ServiceMonitor", "PrometheusRule", "ExternalSecret"}
"""Of operators: Kubernetes has no schema of them."""


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=120)


def rendered(values):
    with helm_python.Chart.load(str(CHART)) as chart:
        text = chart.render(values, name="pr", namespace="couriers")
    return [one for part in text.values() for one in yaml.safe_load_all(part) if one]


@pytest.fixture(scope="module")
def objects():
    return rendered(TRIAL)


@pytest.mark.parametrize("version", KUBERNETES)
def test_what_the_chart_renders_is_valid_for_kubernetes(objects, version):
    for one in objects:
        if one["kind"] not in OWN_KINDS:
            kubernetes_validate.validate(one, version, strict=True)


def test_each_role_has_what_keeps_it_alive(objects):
    of_kind = {}
    for one in objects:
        of_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    assert of_kind["Deployment"].keys() == {
        f"pr-{role}" for role in ("api", "writer", "watch", "dispatch", "housekeeping", "gateway")
    }
    for deployment in of_kind["Deployment"].values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert {container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} == {
            "metrics"
        }
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]
    hook = of_kind["Job"]["pr-migrate"]["metadata"]["annotations"]["helm.sh/hook"]
    assert hook == "pre-install,pre-upgrade"
    (rule,) = of_kind["PrometheusRule"].values()
    told = {
        one["alert"]: one["annotations"] for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one
    }
    assert told == {name: alert["annotations"] for name, alert in ALERTS.items()}  # word for word


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "secrets.databaseUrl"),
        (TRIAL | {"roles": {"writter": {}}}, "writter"),
        (TRIAL | {"settings": {"POSTRIDER_API_WORKERS": 2}}, "POSTRIDER_API_WORKERS|got number|string"),
        (TRIAL | {"image": {"repository": "x", "digest": "latest"}}, "digest"),
    ],
)
def test_values_that_cannot_be_are_refused(values, words):
    with pytest.raises(helm_python.HelmError, match=words):
        rendered(values)


def test_secrets_may_come_from_elsewhere():
    kinds = {one["kind"] for one in rendered({"secrets": {"external": {"store": "vault"}}})}
    assert "ExternalSecret" in kinds
    assert "Secret" not in kinds
    assert "Secret" not in {one["kind"] for one in rendered({"secrets": {"existing": "mine"}})}


def outside():
    """The first part of every path that the API answers, but for what stays inside."""
    paths = {route.path for route in described().routes}
    return {path for path in paths if not path.startswith(("/health", "/metrics"))}


def test_the_ingress_lets_through_what_is_for_outside_and_nothing_else(objects):
    (ingress,) = [one for one in objects if one["kind"] == "Ingress"]
    ways = [(way["path"], way["pathType"]) for way in ingress["spec"]["rules"][0]["http"]["paths"]]

    def passes(path):
        return any(path == way or (kind == "Prefix" and path.startswith(f"{way}/")) for way, kind in ways)

    assert [path for path in outside() if not passes(path)] == []
    assert not passes("/metrics")
    assert not passes("/health/ready")


def test_nginx_reads_its_configuration(tmp_path):
    done = run("nginx", "-t", "-c", proxy.configured(tmp_path, [8080, 8081]))
    assert done.returncode == 0, done.stderr


def test_the_proxy_and_prometheus_know_every_api_of_compose():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    apis = {name for name, service in compose.items() if service.get("command") == ["api"]}
    assert len(apis) > 1  # one serves while the other is replaced
    assert set(re.findall(r"^\s*server (\w+):8080", (DEPLOY / "nginx.conf").read_text(), re.MULTILINE)) == apis
    assert compose["nginx"]["depends_on"].keys() == apis
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    told = {
        name for name, service in compose.items() if "9100" in str(service.get("environment")) and name != "migrate"
    }
    assert set(job["dns_sd_configs"][0]["names"]) == told


def test_the_proxy_logs_no_token_of_any_address():
    masks = re.findall(r"^\s*~\^(\S+)\s", (DEPLOY / "nginx.conf").read_text(), re.MULTILINE)
    masks = [mask.replace("(?<", "(?P<") for mask in masks]
    secret = [path for path in outside() if re.search(r"\{(token|code)\b", path) and not path.startswith("/problems/")]
    assert secret
    assert [path for path in secret if not any(re.match(mask, path) for mask in masks)] == []


def test_the_proxy_logs_no_query_for_pictures_are_signed_there():
    """Nor does what nginx says of its own accord about a request: those lines have the whole address."""
    http = (DEPLOY / "nginx.conf").read_text().partition("\nhttp {")[2]
    line = http.partition("log_format masked")[2].partition(";")[0]
    assert set(re.findall(r"\$(\w+)", line)) == {
        "time_iso8601",
        "request_method",
        "masked",
        "status",
        "body_bytes_sent",
        "upstream_addr",
        "upstream_status",
        "request_time",
        "upstream_http_x_trace_id",
    }
    assert re.findall(r"error_log \S+ (\w+);", http) == ["crit"]


def test_compose_knows_every_file_it_mounts_and_hands_out_no_password():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./") and source != "./map":  # the city's own
                assert (DEPLOY / source).exists(), (name, source)
        assert "healthcheck" in service, name
        assert service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"), name
        assert service["logging"]["options"]["max-size"], name
    assert "PASSWORD:" not in (DEPLOY / "compose.yaml").read_text()


def test_prometheus_reads_its_configuration(tmp_path):
    text = (DEPLOY / "prometheus" / "prometheus.yaml").read_text()
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/rules", str(CHART / "rules")))
    done = run("promtool", "check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_postgresql_reads_its_settings(tmp_path):
    """By the wheel's programs, which were built without lz4; TimescaleDB's own are kept for whoever knows them."""
    program = postgres_programs() / "postgres"
    (tmp_path / "PG_VERSION").write_text(run(program, "--version").stdout.split()[-1].partition(".")[0])
    text = (DEPLOY / "postgres.conf").read_text().replace("wal_compression = lz4", "wal_compression = on")
    (tmp_path / "postgres.conf").write_text(text)
    asked = ("-C", "log_line_prefix", "-D", tmp_path, f"--config-file={tmp_path / 'postgres.conf'}")
    done = run(program, *asked)
    assert (done.returncode, done.stdout) == (0, "%m [%p] %a \n"), done.stderr


def test_grafana_is_given_valid_files():
    for path in (DEPLOY / "grafana").rglob("*.yaml"):
        assert yaml.safe_load(path.read_text())["apiVersion"] == 1


def test_systemd_reads_its_units(tmp_path):
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/postrider/bin/postrider", "/bin/true")
        (tmp_path / unit.name.replace("@.", "@api.")).write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir()))
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "postrider" in line.partition(":")[0]]
    assert ours == []


@pytest.mark.parametrize(
    ("schema", "path"), [("github-workflows", ".github/workflows/ci.yaml"), ("gitlab-ci", ".gitlab-ci.yml")]
)
def test_ci_of_both_houses_is_valid_and_runs_the_same(schema, path):
    done = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", ROOT / path)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (ROOT / path).read_text()
    for step in (".ci/run", "deploy/Dockerfile", "trivy", "cosign sign", "--sbom=true|sbom: true"):
        assert any(form in text for form in step.split("|")), step


def test_what_was_built_is_what_is_scanned_signed_and_deployed():
    """A tag can be moved; a digest is the image."""
    for path in (".gitlab-ci.yml", ".github/workflows/ci.yaml"):
        text = (ROOT / path).read_text()
        told = re.findall(
            r"(?:trivy image|cosign sign|image-ref:|--set image\.repository).*?(?=\n\s*(?:-|\w+:)|\Z)", text, re.DOTALL
        )
        assert len(told) >= 2, path
        assert [step for step in told if not re.search(r"digest\b", step, re.IGNORECASE)] == []


def test_the_images_that_ours_is_built_on_can_be_named_by_digest():
    text = (DEPLOY / "Dockerfile").read_text()
    bases = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    assert set(re.findall(r"^FROM \$\{(\w+)\}", text, re.MULTILINE)) == bases.keys()
    assert re.findall(r"^FROM [^$]", text, re.MULTILINE) == []
    for image in bases.values():
        assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?", image), image


def test_the_bill_of_materials_names_every_package_that_the_image_installs(tmp_path):
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if "cyclonedx-py" in line]
    words = line.split()[1:]
    words[words.index("sbom.json")] = str(tmp_path / "sbom.json")
    done = run(Path(sys.executable).with_name("cyclonedx-py"), *words[:-1], ROOT / words[-1])
    assert done.returncode == 0, done.stderr
    told = {one["name"] for one in json.loads((tmp_path / "sbom.json").read_text())["components"]}
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE)
    assert told == set(locked)


def test_every_file_is_looked_at_by_some_check():
    """Beside the pages, which are linked, the Dockerfile (hadolint, test_image.py)."""
    looked_at = {"Dockerfile", "compose.yaml", "dashboards.py", "elastic", "grafana", "helm", "loki", "nginx.conf"}
    looked_at |= {"postgres.conf", "prometheus", "systemd"}
    there = {path.relative_to(DEPLOY).parts[0] for path in DEPLOY.rglob("*") if _is_shipped(path)}
    assert {name for name in there if not name.endswith(".md")} == looked_at


def _is_shipped(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and "secrets" not in path.parts
