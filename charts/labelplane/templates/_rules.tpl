{{- /* What the operator does in a namespace that it watches: each verb that its code calls, and no other. */ -}}
{{- define "labelplane.rules" -}}
- apiGroups: [labelplane.io]
  resources: [labelingjobs]
  # patch: the finalizer of deletionPolicy Delete; delete: ttlSecondsAfterFinished.
  verbs: [list, watch, patch, delete]
- apiGroups: [labelplane.io]
  resources: [labelingjobs/status]
  verbs: [update]
# Owner references that block the owner's deletion.
- apiGroups: [labelplane.io]
  resources: [labelingjobs/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# The token of a job is carried to its pods, and no Secret is ever read.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
# What keeps the pods of a job from starting: the ConfigMaps that the job names are looked up by name, and none is listed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
# Why the pods of a job do not run.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.keda.enabled }}
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- end -}}
