"""What kind and its engine are told, without either."""

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from zerog_tools.cluster.binaries import MODULES
from zerog_tools.cluster.process import ClusterError
from zerog_tools.kind import engine, image, wiring
from zerog_tools.kind.archive import build_archive
from zerog_tools.kind.cluster import MOUNTS, KindCluster, build_config
from zerog_tools.kind.engine import Engine, KindMissingError

ONE = wiring.Member("one", "10.89.0.2", "10.244.0.0/24")
TWO = wiring.Member("two", "10.89.0.3", "10.244.1.0/24")


def build_node(name: str, address: str, pods: str | None) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": pods} if pods else {},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


@pytest.mark.parametrize("own", [True, False])
def test_every_node_rejects_what_would_leave_before_containerd_starts(own: bool) -> None:
    config = build_config(2, own=own)

    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    for node in config["nodes"]:
        mounted = {mount["containerPath"]: Path(mount["hostPath"]) for mount in node["extraMounts"]}
        unit = mounted["/etc/systemd/system/containerd.service.d/reject.conf"].read_text()
        (script,) = [line for line in unit.splitlines() if line.startswith("ExecStartPre=")]
        assert mounted[script.split()[-1]] == MOUNTS / "reject.sh"


def test_the_name_server_asks_nobody_and_has_only_plugins_that_are_built_in() -> None:
    (corefile,) = wiring.build_names()["data"].values()
    used = {line.split()[0] for line in corefile.splitlines() if re.match(r"  \w", line)}
    built = re.search(
        r"Directives = \[\]string{([^}]*)}", (MODULES / "coredns/main.go").read_text()
    )

    assert "forward" not in used
    assert built is not None
    assert used == set(re.findall(r'"(\w+)"', built[1]))


def test_only_nodes_of_our_own_image_get_a_network_and_a_kubelet_for_old_control_groups() -> None:
    own, kinds = build_config(0, own=True), build_config(0, own=False)

    assert own["networking"]["disableDefaultCNI"]
    assert not json.loads(own["kubeadmConfigPatches"][0])["failCgroupV1"]
    assert not kinds["networking"]["disableDefaultCNI"]
    assert "failCgroupV1" not in kinds["kubeadmConfigPatches"][0]


def test_a_cluster_is_wired_only_when_every_node_has_a_range_for_its_pods() -> None:
    nodes = [build_node("one", "10.89.0.2", "10.244.0.0/24"), build_node("two", "10.89.0.3", None)]

    assert wiring.read_members(nodes) == []
    nodes[1]["spec"]["podCIDR"] = "10.244.1.0/24"
    assert wiring.read_members(nodes) == [ONE, TWO]


def test_a_node_gets_a_route_to_the_pods_of_each_other_node() -> None:
    lines = wiring.build_script(ONE, [ONE, TWO]).splitlines()

    assert [line for line in lines if line.startswith("ip route")] == [
        "ip route replace 10.244.1.0/24 via 10.89.0.3"
    ]
    # What the kubelet waits for comes last.
    assert lines[-1] == "END"
    assert json.loads(lines[-2])["plugins"][0]["ipam"]["ranges"] == [[{"subnet": ONE.pods}]]


def test_every_volume_is_a_folder_that_its_node_has() -> None:
    items = wiring.build_volumes([ONE, TWO])["items"]

    assert len({item["metadata"]["name"] for item in items}) == 2 * wiring.VOLUMES
    script = wiring.build_script(ONE, [ONE, TWO])
    assert all(f"mkdir -p -m 0777 {item['spec']['local']['path']}\n" in script for item in items)


def test_podman_is_asked_for_no_limits_above_those_of_this_machine() -> None:
    text = engine.build_podman_config(20000, 32768, Path("/networks"))

    assert 'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]' in text


def test_an_engine_is_told_to_use_a_network_of_our_own() -> None:
    environment = Engine("podman", {"CONTAINERS_CONF": "x"}).environment

    assert environment["KIND_EXPERIMENTAL_PROVIDER"] == "podman"
    assert environment["KIND_EXPERIMENTAL_PODMAN_NETWORK"] == "zerog-kind"
    assert environment["CONTAINERS_CONF"] == "x"


@pytest.mark.parametrize(
    ("first_groups", "name", "packages"),
    [
        (False, "docker", []),
        (False, "podman", []),
        (False, None, [*engine.PODMAN_PACKAGES]),
        (True, "docker", ["mmdebstrap"]),
        # It may answer and lack what makes its networks.
        (True, "podman", [*engine.PODMAN_PACKAGES, "mmdebstrap"]),
    ],
)
def test_what_is_installed_depends_on_the_engine_and_on_the_control_groups(
    first_groups: bool, name: str | None, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "has_first_control_groups", lambda: first_groups)
    monkeypatch.setattr(engine, "_find_engine", lambda: name and Engine(name))
    monkeypatch.setattr(Path, "exists", lambda _: False)

    assert engine.find_missing_packages() == packages


def test_a_machine_on_which_nothing_can_be_installed_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "has_first_control_groups", lambda: False)
    monkeypatch.setattr(engine, "_find_engine", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    assert engine.find_problem().startswith("kind needs docker or podman")


def test_a_machine_with_new_control_groups_takes_kinds_own_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image, "has_first_control_groups", lambda: False)

    assert image.ensure_node_image(Engine("docker"), lambda _: None) == image.KIND_IMAGE


def test_a_client_without_an_engine_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho no daemon >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "docker")

    with pytest.raises(KindMissingError, match="no daemon"):
        engine.find_engine()


def test_an_archive_holds_one_layer_with_its_files_and_names_its_image(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("run me")
    path = tmp_path / "image.tar"

    build_archive(path, "localhost/it:1", ["/bin/it"], {"bin/it": program})

    with tarfile.open(path) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert manifest["RepoTags"] == ["localhost/it:1"]
        layer = archive.extractfile(manifest["Layers"][0])
        with tarfile.open(fileobj=layer) as files:
            assert files.getnames() == ["bin/it"]


class Flaky(KindCluster):
    """A cluster that starts only after some failures."""

    def __init__(self, failures: int) -> None:
        super().__init__("flaky", say=lambda _: None)
        self.calls: list[str] = []
        self._failures = failures

    def _start(self, image: str) -> None:
        self.calls.append("start")
        if self.calls.count("start") <= self._failures:
            raise ClusterError("kubeadm was too slow")

    def _kind(self, *arguments: str) -> None:
        self.calls.append(arguments[0])


def test_a_creation_that_failed_is_tried_once_more_from_nothing() -> None:
    cluster = Flaky(failures=1)

    cluster._start_patiently("image")

    assert cluster.calls == ["delete", "start", "delete", "start"]


def test_a_creation_that_failed_twice_has_failed() -> None:
    with pytest.raises(ClusterError, match="too slow"):
        Flaky(failures=2)._start_patiently("image")
