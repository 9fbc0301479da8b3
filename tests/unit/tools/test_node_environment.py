"""What a node agent makes of a container's description."""

from pathlib import Path
from typing import Any

import pytest

from zerog_tools.cluster.node.environment import (
    ConfigurationError,
    Materials,
    build_path_map,
    build_variables,
    expand,
    read_field,
    replace_paths,
)
from zerog_tools.cluster.node.image import Image

POD: dict[str, Any] = {
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "annotations": {"x.y/z": "1"}},
    "spec": {"nodeName": "node-1"},
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$(A)/$(B)", "1/2"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$A ${A} $(A", "$A ${A} $(A"),
    ],
)
def test_known_variables_are_expanded_as_kubelet_does(text: str, wanted: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/run/z", "/real"),
        ("/run/z/ready", "/real/ready"),
        ("sqlite:////run/z/a.db", "sqlite:////real/a.db"),
        ("--file=/run/z:/run/z", "--file=/real:/real"),
        ("/var/run/z", "/var/run/z"),
        ("/run/zebra", "/run/zebra"),
        ("/run/z/deep/x", "/deep/x"),
    ],
)
def test_a_mount_path_is_replaced_where_it_is_a_path(text: str, wanted: str) -> None:
    assert replace_paths(text, {"/run/z": "/real", "/run/z/deep": "/deep"}) == wanted


def test_paths_of_volumes_and_of_the_last_words_are_known() -> None:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/data/", "subPath": "s"}]}

    assert build_path_map(container, {"v": Path("/vol")}, Path("/home")) == {
        "/data": "/vol/s",
        "/dev/termination-log": "/home/termination-log",
    }


def test_fields_of_a_pod_are_read_and_unknown_ones_refused() -> None:
    assert read_field(POD, "metadata.annotations['x.y/z']", "") == "1"
    assert read_field(POD, "status.podIP", "127.9.9.9") == "127.9.9.9"
    with pytest.raises(ConfigurationError, match="knows no field"):
        read_field(POD, "spec.priority", "")


def test_what_is_missing_is_refused_unless_it_may_be() -> None:
    reference = {"name": "s", "key": "k"}
    container = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": reference}}]}

    with pytest.raises(ConfigurationError, match='secret "s" not found'):
        build_variables(POD, container, Materials(), "")
    with pytest.raises(ConfigurationError, match="couldn't find key k in secret s"):
        build_variables(POD, container, Materials({("secret", "s"): {}}), "")

    reference["optional"] = "yes"
    assert build_variables(POD, container, Materials(), "") == {}


@pytest.mark.parametrize(
    ("command", "arguments", "wanted"),
    [
        ([], [], ["zerog", "worker"]),
        ([], ["api"], ["zerog", "api"]),
        (["sh"], [], ["sh"]),
        (["sh"], ["-c"], ["sh", "-c"]),
    ],
)
def test_a_containers_command_replaces_entrypoint_and_arguments_of_the_image(
    command: list[str], arguments: list[str], wanted: list[str]
) -> None:
    image = Image(entrypoint=("zerog",), arguments=("worker",))

    assert image.build_command(command, arguments) == wanted
