"""A real cluster of one node: control plane, containerd, kubelet and kube-proxy as processes of this machine.

It runs in namespaces of its own (`hack/in-own-network`), so that interfaces, packet rules and mounts go with it. Name
resolution is CoreDNS on the node's own address. Everything lies below one folder.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from api_server import ApiError, ApiServer, etcd_command
from node_identity import NodeIdentity, make_identity
from real_parts import find_tool, running

__all__ = ["NODE_ADDRESS", "OneNode", "running_node"]

NODE_ADDRESS = "10.251.0.1"
"""Address of the node, of the API server and of whatever a test runs beside them; pods reach it."""

NODE = "node-1"
PAUSE = "localhost/labelplane-pause:1"
_PODS, _SERVICES = "10.252.0.0/24", "10.96.0.0/16"
_API_PORT, _ETCD_PORT, _ETCD_PEER_PORT = 6443, 2379, 2380
_READY_SECONDS = 180.0
_END_SECONDS = 60.0
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_CNI = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": _PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


@dataclass
class OneNode:
    """A running cluster.

    Attributes:
        server: its API server, and a client of it.
        folder: where its state and its logs lie.
        processes: what runs, by name, so that a test can kill and start it again.
    """

    server: ApiServer
    folder: Path
    processes: dict[str, "subprocess.Popen[bytes]"]

    def load_image(self, archive: Path) -> None:
        """Import the images of an archive, as `docker save` and `buildah push` write it."""
        command = [find_tool("ctr"), "--address", str(self.folder / "containerd.sock"), "--namespace", "k8s.io"]
        _run([*command, "images", "import", os.fspath(archive)])

    def load_images(self, folder: Path) -> None:
        """Import the archives of a folder that hack/e2e-images has filled."""
        for archive in sorted(folder.glob("*.tar")):
            self.load_image(archive)

    def log(self, name: str) -> str:
        """Return what a process of the node has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def running_node(folder: Path, *, pause: Path) -> Iterator[OneNode]:
    """Start a cluster of one node, and stop it when the context ends.

    Args:
        folder: takes state and logs.
        pause: archive of the image that holds a pod's namespaces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _make_network()
    identity = make_identity(folder, NODE_ADDRESS, service_address="10.96.0.1")
    with ExitStack() as started:
        processes: dict[str, subprocess.Popen[bytes]] = {}

        def start(name: str, command: Sequence[str]) -> None:
            log = folder / f"{name}.log"
            environment = {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}", "HOME": os.fspath(folder)}
            processes[name] = started.enter_context(running(command, log=log, environment=environment))

        start("etcd", etcd_command(folder, client_port=_ETCD_PORT, peer_port=_ETCD_PEER_PORT))
        start("apiserver", _apiserver(folder, identity))
        server = ApiServer(
            port=_API_PORT,
            token=identity.tokens["admin"],
            certificate=identity.authority,
            folder=folder,
        )
        started.callback(server.close)
        node = OneNode(server, folder, processes)
        _until(lambda: _answers(server), "the API server is ready", node, "apiserver")
        start("controller-manager", _controller_manager(folder, identity))
        start("scheduler", _scheduler(folder, identity))
        start("coredns", _coredns(folder, identity))
        start("containerd", _containerd(folder))
        _until((folder / "containerd.sock").exists, "containerd listens", node, "containerd")
        _until(lambda: _imported(node, pause), "containerd takes images", node, "containerd")
        start("kubelet", _kubelet(folder, identity))
        start("kube-proxy", _kube_proxy(folder, identity))
        _until(lambda: _is_node_ready(server), "the node is Ready", node, "kubelet")
        try:
            yield node
        finally:
            _remove_pods(node)
    _remove_control_groups()
    shutil.rmtree(folder / "containerd-root", ignore_errors=True)  # gigabytes, where pytest keeps folders of three runs


def _make_network() -> None:
    """Give the node an address that no other machine has."""
    _run(["ip", "link", "add", "node0", "type", "bridge"])
    _run(["ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node0"])
    _run(["ip", "link", "set", "node0", "up"])
    _run(["ip", "route", "add", "default", "dev", "node0"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _apiserver(folder: Path, identity: NodeIdentity) -> list[str]:
    return [
        find_tool("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{_ETCD_PORT}",
        f"--secure-port={_API_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--tls-cert-file={identity.server_certificate}",
        f"--tls-private-key-file={identity.server_key}",
        f"--client-ca-file={identity.authority}",
        f"--kubelet-client-certificate={identity.client_certificate}",
        f"--kubelet-client-key={identity.client_key}",
        f"--token-auth-file={identity.tokens_file}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={identity.signing_key}",
        f"--service-account-signing-key-file={identity.signing_key}",
        f"--service-cluster-ip-range={_SERVICES}",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def _controller_manager(folder: Path, identity: NodeIdentity) -> list[str]:
    return [
        find_tool("kube-controller-manager"),
        f"--kubeconfig={_kubeconfig(folder, identity, 'admin')}",
        f"--service-account-private-key-file={identity.signing_key}",
        f"--root-ca-file={identity.authority}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _scheduler(folder: Path, identity: NodeIdentity) -> list[str]:
    return [
        find_tool("kube-scheduler"),
        f"--kubeconfig={_kubeconfig(folder, identity, 'scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def _coredns(folder: Path, identity: NodeIdentity) -> list[str]:
    file = folder / "Corefile"
    file.write_text(
        f"""cluster.local:53 {{
    bind {NODE_ADDRESS}
    errors
    kubernetes cluster.local {{
        kubeconfig {_kubeconfig(folder, identity, "admin")}
        ttl 5
    }}
}}
.:53 {{
    bind {NODE_ADDRESS}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
    )
    return [find_tool("coredns"), "-conf", os.fspath(file)]


def _containerd(folder: Path) -> list[str]:
    cni = folder / "cni"
    cni.mkdir(exist_ok=True)
    (cni / "10-pods.conflist").write_text(json.dumps(_CNI))
    file = folder / "containerd.toml"
    file.write_text(
        f"""version = 2
root = "{folder}/containerd-root"
state = "{folder}/containerd-state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Without CAP_SYS_RESOURCE a sandbox may not lower its score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
    )
    return [find_tool("containerd"), "--config", os.fspath(file)]


def _kubelet(folder: Path, identity: NodeIdentity) -> list[str]:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": os.fspath(identity.authority)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "clusterDomain": "cluster.local",
        "clusterDNS": [NODE_ADDRESS],
        "resolvConf": "",
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": True,
        "nodeStatusUpdateFrequency": "4s",
        "registerNode": True,
    }
    file = folder / "kubelet.yaml"
    file.write_text(yaml.safe_dump(config))
    return [
        find_tool("kubelet"),
        f"--config={file}",
        f"--kubeconfig={_kubeconfig(folder, identity, 'kubelet')}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'kubelet-pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def _kube_proxy(folder: Path, identity: NodeIdentity) -> list[str]:
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": os.fspath(_kubeconfig(folder, identity, "kube-proxy"))},
        "mode": "iptables",
        # Two pods on one bridge answer one another past the node, unless the node is the sender.
        "iptables": {"masqueradeAll": True},
        "conntrack": {"maxPerCore": 0, "min": 0},
        "hostnameOverride": NODE,
        "clusterCIDR": _PODS,
    }
    file = folder / "kube-proxy.yaml"
    file.write_text(yaml.safe_dump(config))
    return [find_tool("kube-proxy"), f"--config={file}"]


def _kubeconfig(folder: Path, identity: NodeIdentity, who: str) -> Path:
    cluster = {
        "server": f"https://{NODE_ADDRESS}:{_API_PORT}",
        "certificate-authority": os.fspath(identity.authority),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": who, "user": {"token": identity.tokens[who]}}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": who}}],
        "current-context": "e2e",
    }
    path = folder / f"{who}.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def _imported(node: OneNode, archive: Path) -> bool:
    try:
        node.load_image(archive)
    except RuntimeError:
        return False
    return True


def _answers(server: ApiServer) -> bool:
    try:
        server.get("/api/v1/namespaces/default")
    except (ApiError, OSError):
        server.close()
        return False
    return True


def _is_node_ready(server: ApiServer) -> bool:
    try:
        conditions = server.get(f"/api/v1/nodes/{NODE}")["status"]["conditions"]
    except (ApiError, KeyError):
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _remove_pods(node: OneNode) -> None:
    """Have the kubelet end the pods while it lives."""
    with suppress(ApiError, OSError):
        for kind in ("/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/apis/batch/v1/jobs"):
            for each in node.server.get(kind)["items"]:
                group, plural = kind.rsplit("/", 1)
                node.server.delete(_path(group, plural, each))
        deadline = time.monotonic() + _END_SECONDS
        while (pods := node.server.get("/api/v1/pods")["items"]) and time.monotonic() < deadline:
            for pod in pods:
                with suppress(ApiError):
                    node.server.request("DELETE", _path("/api/v1", "pods", pod), query={"gracePeriodSeconds": "1"})
            time.sleep(0.5)


def _path(group: str, plural: str, manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    return f"{group}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"


def _remove_control_groups() -> None:
    """Remove what the kubelet made for its pods: control groups outlast namespaces."""
    for root in _CONTROL_GROUPS.glob("**/kubepods"):
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            root.rmdir()


def _until(holds: Callable[[], bool], what: str, node: OneNode, process: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not holds():
        if node.processes[process].poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not come to be that {what}: {node.log(process)[-3000:]}")
        time.sleep(0.2)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
