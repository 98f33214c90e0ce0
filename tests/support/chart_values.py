"""Sets of values that the tests of the chart render, and that an API server must take."""

from typing import Any, Final

DIGEST: Final = f"sha256:{'0123456789abcdef' * 4}"

VALUES: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "namespaced": {"watchNamespaces": ["labelling-a", "labelling-b"]},
    "without rights and roles": {
        "crds": {"enabled": False},
        "rbac": {"create": False, "userRoles": False},
        "serviceAccount": {"create": False, "name": "somebody"},
        "installation": {"existingSecret": "given"},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    },
    "one replica": {"replicas": 1},
    "with KEDA": {"keda": {"enabled": True}},
    "a queue of its own": {"queue": {"bundled": {"enabled": True}}},
    "an object store of its own": {"objectStore": {"bundled": {"enabled": True}}},
    "an object store of its own that stays": {
        "objectStore": {"bundled": {"enabled": True, "storage": "10Gi", "existingSecret": "store"}}
    },
    "a queue of its own that stays": {"queue": {"bundled": {"enabled": True, "storage": "2Gi"}}},
    "everything said": {
        "watchNamespaces": ["labelling-a"],
        "installation": {"id": "north.1"},
        "crds": {"keep": False},
        "images": {
            "registry": "registry.example.com:5000",
            "tag": "1.2.3",
            "pullPolicy": "Always",
            "pullSecrets": ["pull", "pull-too"],
            "operator": {"repository": "mirror/operator", "digest": DIGEST},
            "scoring": {"repository": "mirror/scoring", "registry": "other.example.com", "tag": "gpu"},
        },
        "jobs": {"trustedPackages": ["house_rules", "team"]},
        "queue": {
            "servers": "tls://nats-0.example.com:4222,tls://nats-1.example.com:4222",
            "existingSecret": "queue-operator",
            "jobsSecret": "queue",
            "apiPrefix": "labelplane-depth.{namespace}",
            "replicas": 3,
        },
        "replicas": 3,
        "logLevel": "DEBUG",
        "workers": 4,
        "resyncSeconds": 60,
        "leaderElection": {"leaseDurationSeconds": 30, "renewDeadlineSeconds": 20, "retryPeriodSeconds": 5},
        "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "1500m", "memory": "1Gi"}},
        "extraEnv": [
            {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "podLabels": {"team": "data", "tier": "pods"},
        "podAnnotations": {"note": "ours"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
                    }
                ]
            }
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
            }
        ],
        "priorityClassName": "system-cluster-critical",
        "serviceAccount": {"name": "labeller", "annotations": {"cloud.example.com/role": "labeller"}},
        "keda": {"enabled": True},
        "networkPolicy": {
            "scalerFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}],
            "apiServerPorts": [6443],
            "apiServerCIDRs": ["10.0.0.1/32"],
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
            ],
        },
        "metrics": {
            "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
            "prometheusRule": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "disabled": ["LabelplaneJobFailed"],
                "waitsForPeopleAfter": "2d",
            },
            "dashboard": {"enabled": True},
        },
        "fullnameOverride": "lp",
        "commonLabels": {"team": "platform", "cost-centre": "42"},
    },
    "the review page": {
        "review": {
            "enabled": True,
            "externalUrl": "https://labels.example.com",
            "proxy": {
                "userHeader": "X-Auth-Request-Email",
                "groupsHeader": "X-Auth-Request-Groups",
                "existingSecret": "proxy",
                "addresses": ["10.1.0.0/16"],
            },
            "allowFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
            "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "labels-tls"},
        },
    },
    "the review page of named namespaces": {
        "watchNamespaces": ["labelling-a", "labelling-b"],
        "review": {"enabled": True, "replicas": 1},
    },
    "monitoring": {
        "metrics": {
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "dashboard": {"enabled": True},
        }
    },
}
"""By a name that tells what is special about them."""
