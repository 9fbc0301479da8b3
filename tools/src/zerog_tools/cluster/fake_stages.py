"""What happens to the pods of fake nodes: kwok's Stage objects, built from a few words.

A pod says by annotations what becomes of it; a change of them is followed at once, so a
broken pod can heal. All are optional, durations are like `500ms` or `2s`:

    fake.zerog.dev/fate         one of Fate, `run` unless said
    fake.zerog.dev/start-delay  from its binding until it runs, or until its fate is seen
    fake.zerog.dev/end-delay    from running until succeed, fail, evict or oom
    fake.zerog.dev/restart-delay  between two crashes of crash-loop, 1 s unless said
    fake.zerog.dev/exit-code    of fail and crash-loop, 1 unless said
    fake.zerog.dev/stop-delay   from its deletion until it is gone; `never` for stuck pods

A change of the pod while it waits for a delay starts that delay anew. At most one stage
fits a pod at any time: kwok would throw dice between two. The texts and reasons are those
that a kubelet writes.
"""

import json
from collections.abc import Iterator
from enum import StrEnum

PREFIX = "fake.zerog.dev"
#: Only nodes with this label are played; without it a node is as good as dead.
NODE_LABEL = f"{PREFIX}/node"
#: Far below the 50 s without news after which a node is taken for lost.
HEARTBEAT_SECONDS = 2


class Fate(StrEnum):
    """What becomes of a fake pod."""

    RUN = "run"  # runs and is ready, for good
    UNREADY = "unready"  # runs and never gets ready
    SUCCEED = "succeed"  # runs, then ends with code 0
    FAIL = "fail"  # runs, then ends with the exit code
    EVICT = "evict"  # runs, then its node throws it out
    OOM = "oom"  # runs, is killed for its memory once, and runs again
    CRASH_LOOP = "crash-loop"  # ends again and again with the exit code
    IMAGE_ERROR = "image-error"  # its image cannot be pulled
    CONFIG_ERROR = "config-error"  # its container cannot be made
    HANG = "hang"  # is bound and nothing more happens


#: These run and are ready first, whatever happens to them then.
_READY_FATES = [Fate.RUN, Fate.SUCCEED, Fate.FAIL, Fate.EVICT, Fate.OOM]

#: What a kubelet says of a pod whose containers are all in one state; <words> are filled in.
_POD_STATUS = """
{{ $pod := . }}
{{ $annotations := or .metadata.annotations dict }}
{{ $exitCode := or (index $annotations "fake.zerog.dev/exit-code") "1" }}
phase: <phase>
conditions:
- {type: PodReadyToStartContainers, status: "<up>", lastTransitionTime: "<now>"}
- {type: Initialized, status: "True", lastTransitionTime: "<now>"}
- {type: Ready, status: "<ready>", reason: "<cause>", lastTransitionTime: "<now>"}
- {type: ContainersReady, status: "<ready>", reason: "<cause>", lastTransitionTime: "<now>"}
containerStatuses:
{{ range $index, $container := .spec.containers }}
{{ $restarts := 0 }}
{{ with $pod.status.containerStatuses }}{{ $restarts = (index . $index).restartCount }}{{ end }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: <ready-flag>
  started: <ready-flag>
  restartCount: <restarts>
  state: <state>
  lastState: <last>
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
startTime: {{ or .status.startTime Now | Quote }}
<more>
"""
_RUNS = '{running: {startedAt: "<now>"}}'
_ONE_MORE = "{{ add $restarts 1 }}"


def _terminated(code: str, reason: str) -> str:
    times = 'startedAt: "<now>", finishedAt: "<now>"'
    return f"{{terminated: {{exitCode: {code}, reason: {reason}, {times}}}}}"


def _waiting(reason: str, message: str) -> str:
    return f"{{waiting: {{reason: {reason}, message: {json.dumps(message)}}}}}"


def _build_status(
    phase: str,
    state: str,
    *,
    ready: bool = False,
    last: str = "{}",
    restarts: str = "{{ $restarts }}",
    more: str = "",
) -> str:
    cause = "" if ready else "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
    words = {
        "phase": phase,
        "state": state,
        "last": last,
        "restarts": restarts,
        "more": more,
        "cause": cause,
        "up": str(phase == "Running"),
        "ready": str(ready),
        "ready-flag": str(ready).lower(),
        "now": "{{ Now }}",
    }
    text = _POD_STATUS
    for word, value in words.items():
        text = text.replace(f"<{word}>", value)
    return text


def _is(key: str, *values: str) -> dict[str, object]:
    return {"jq": {"key": key, "operator": "In", "values": list(values)}}


def _is_not(key: str, *values: str) -> dict[str, object]:
    return {"jq": {"key": key, "operator": "NotIn", "values": list(values)}}


def _has(key: str) -> dict[str, object]:
    return {"jq": {"key": key, "operator": "Exists"}}


def _lacks(key: str) -> dict[str, object]:
    return {"jq": {"key": key, "operator": "DoesNotExist"}}


def _build_stage(
    kind: str, name: str, fits: list[dict[str, object]], then: object, delay: object
) -> dict[str, object]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"{kind.lower()}-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": fits},
            "weight": 1,
            "delay": delay,
            "next": then,
        },
    }


def _delay(annotation: str, milliseconds: int = 0) -> dict[str, object]:
    expression = f'.metadata.annotations["{PREFIX}/{annotation}"]'
    return {
        "durationMilliseconds": milliseconds,
        "durationFrom": {"jq": {"expression": expression}},
    }


_FATE = f'.metadata.annotations["{PREFIX}/fate"] // "run"'
_CONTAINER = ".status.containerStatuses[0]?"
_READY = f"{_CONTAINER} | select(.ready) | .name"
_UNREADY = f"{_CONTAINER} | select(.state.running and (.ready | not)) | .name"
_WAITS_FOR = f"{_CONTAINER}.state.waiting.reason"
_WAS_KILLED = f"{_CONTAINER}.lastState.terminated.reason"
_OPEN = [_lacks(".metadata.deletionTimestamp"), _is(".status.phase", "Pending", "Running")]


def _build_beginnings() -> Iterator[dict[str, object]]:
    """Return what happens to a pod that was bound, or whose fate was changed."""
    begins = {
        "runs": (_READY_FATES, _READY, _build_status("Running", _RUNS, ready=True)),
        "is-unready": ([Fate.UNREADY], _UNREADY, _build_status("Running", _RUNS)),
    }
    for name, (fates, until, status) in begins.items():
        fits = [*_OPEN, _is(_FATE, *fates), _lacks(until)]
        yield _build_stage("Pod", name, fits, {"statusTemplate": status}, _delay("start-delay"))
    image = "failed to pull and unpack image: not found"
    waits = {
        Fate.IMAGE_ERROR: ("ErrImagePull", image),
        Fate.CONFIG_ERROR: ("CreateContainerConfigError", 'secret "none" not found'),
    }
    for fate, (reason, message) in waits.items():
        status = _build_status("Pending", _waiting(reason, message))
        fits = [*_OPEN, _is(_FATE, fate), _lacks(_WAITS_FOR)]
        yield _build_stage("Pod", fate, fits, {"statusTemplate": status}, _delay("start-delay"))


def _build_repetitions() -> Iterator[dict[str, object]]:
    """Return what goes on happening to a broken pod."""
    backs_off = _build_status("Pending", _waiting("ImagePullBackOff", "Back-off pulling image"))
    fits = [*_OPEN, _is(_FATE, Fate.IMAGE_ERROR), _is(_WAITS_FOR, "ErrImagePull")]
    yield _build_stage(
        "Pod", "image-back-off", fits, {"statusTemplate": backs_off}, _delay("restart-delay", 1000)
    )
    crashes = _build_status(
        "Running",
        _waiting("CrashLoopBackOff", "back-off 10s restarting failed container"),
        last=_terminated("{{ $exitCode }}", "Error"),
        restarts=_ONE_MORE,
    )
    fits = [*_OPEN, _is(_FATE, Fate.CRASH_LOOP)]
    yield _build_stage(
        "Pod",
        "crashes",
        [*fits, _lacks(_WAITS_FOR)],
        {"statusTemplate": crashes},
        _delay("start-delay"),
    )
    yield _build_stage(
        "Pod",
        "crashes-again",
        [*fits, _has(_WAITS_FOR)],
        {"statusTemplate": crashes},
        _delay("restart-delay", 1000),
    )


def _build_ends() -> Iterator[dict[str, object]]:
    """Return how a running pod ends, or is restarted."""
    evicted = 'reason: Evicted\nmessage: "The node was low on resource: memory."'
    ends = {
        Fate.SUCCEED: _build_status("Succeeded", _terminated("0", "Completed")),
        Fate.FAIL: _build_status("Failed", _terminated("{{ $exitCode }}", "Error")),
        Fate.EVICT: _build_status("Failed", _terminated("137", "Error"), more=evicted),
    }
    for fate, status in ends.items():
        fits = [*_OPEN, _is(_FATE, fate), _has(_READY)]
        yield _build_stage("Pod", fate, fits, {"statusTemplate": status}, _delay("end-delay"))
    killed = _build_status(
        "Running", _RUNS, ready=True, last=_terminated("137", "OOMKilled"), restarts=_ONE_MORE
    )
    fits = [*_OPEN, _is(_FATE, Fate.OOM), _has(_READY), _lacks(_WAS_KILLED)]
    yield _build_stage("Pod", "oom", fits, {"statusTemplate": killed}, _delay("end-delay"))


def _build_deletion() -> dict[str, object]:
    stop = f'.metadata.annotations["{PREFIX}/stop-delay"]'
    never = _is_not(stop, "never")
    fits = [_has(".metadata.deletionTimestamp"), _lacks(".metadata.finalizers"), never]
    return _build_stage("Pod", "goes", fits, {"delete": True}, _delay("stop-delay"))


_NODE_STATUS = """
conditions:
{{ range NodeConditions }}
- {type: {{ .type }}, status: "{{ .status }}", reason: {{ .reason }},
   message: {{ .message | Quote }}, lastHeartbeatTime: "{{ Now }}",
   lastTransitionTime: "{{ or $.metadata.creationTimestamp Now }}"}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
capacity: {cpu: 1k, memory: 1Ti, pods: 100k}
allocatable: {cpu: 1k, memory: 1Ti, pods: 100k}
nodeInfo: {architecture: amd64, bootID: "", containerRuntimeVersion: fake, kernelVersion: fake,
  kubeProxyVersion: fake, kubeletVersion: fake, machineID: "", operatingSystem: linux,
  osImage: fake, systemUUID: ""}
"""


def _build_node_stages() -> Iterator[dict[str, object]]:
    ready = '.status.conditions[]? | select(.type == "Ready") | .status'
    then = {"statusTemplate": _NODE_STATUS}
    yield _build_stage(
        "Node", "is-ready", [_is_not(ready, "True")], then, {"durationMilliseconds": 0}
    )
    beat = {"durationMilliseconds": HEARTBEAT_SECONDS * 1000}
    yield _build_stage("Node", "beats", [_is(ready, "True")], then, beat)


def build_configuration() -> str:
    """Return kwok's configuration file with all stages."""
    # A file with one option loses the defaults of all others.
    options = {
        "cidr": "10.64.0.0/12",
        "podPlayStageParallelism": 16,
        "nodePlayStageParallelism": 4,
        "podsOnNodeSyncParallelism": 1,
        "enablePodsOnNodeSyncListPager": True,
    }
    first = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": options,
    }
    stages = [
        *_build_node_stages(),
        *_build_beginnings(),
        *_build_repetitions(),
        *_build_ends(),
        _build_deletion(),
    ]
    # JSON is YAML, and needs no library.
    return "\n---\n".join(json.dumps(item) for item in [first, *stages]) + "\n"
