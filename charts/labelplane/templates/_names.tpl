{{- /* The beginning of every object's name; a release called labelplane is not named twice. */ -}}
{{- define "labelplane.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "labelplane" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-labelplane" (.Release.Name | trunc 29 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "labelplane.operator" -}}
{{- include "labelplane.fullname" . -}}-operator
{{- end -}}

{{- /* Objects of the cluster carry the namespace too: two releases of one name must not share a role. */ -}}
{{- define "labelplane.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "labelplane.operator" .) -}}
{{- end -}}

{{- define "labelplane.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "labelplane.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "labelplane.installationSecret" -}}
{{- default (printf "%s-installation" (include "labelplane.fullname" .)) .Values.installation.existingSecret -}}
{{- end -}}

{{- define "labelplane.installationId" -}}
{{- default (printf "%s-%s" .Release.Namespace .Release.Name | trunc 63 | trimSuffix "-") .Values.installation.id -}}
{{- end -}}

{{- /* The NetworkPolicy of every job lets in pods of this name and component. */ -}}
{{- define "labelplane.selector" -}}
app.kubernetes.io/name: labelplane
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "labelplane.nats" -}}
{{- include "labelplane.fullname" . -}}-nats
{{- end -}}

{{- define "labelplane.natsSelector" -}}
app.kubernetes.io/name: labelplane
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: nats
{{- end -}}

{{- define "labelplane.natsLabels" -}}
{{- merge (include "labelplane.natsSelector" . | fromYaml) (include "labelplane.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* Whether the bundled NATS runs: not beside another. */ -}}
{{- define "labelplane.hasNats" -}}
{{- if and .Values.queue.bundled.enabled (not .Values.queue.servers) -}}yes{{- end -}}
{{- end -}}

{{- /* Where NATS is; empty without one. */ -}}
{{- define "labelplane.queueServers" -}}
{{- if .Values.queue.servers -}}
{{- .Values.queue.servers -}}
{{- else if include "labelplane.hasNats" . -}}
nats://{{ include "labelplane.nats" . }}.{{ .Release.Namespace }}.svc:4222
{{- end -}}
{{- end -}}

{{- /* Where the operator finds its credentials for NATS; empty without them. */ -}}
{{- define "labelplane.queueFolder" -}}
{{- if and .Values.queue.servers .Values.queue.existingSecret -}}/var/run/labelplane/queue{{- end -}}
{{- end -}}

{{- define "labelplane.labels" -}}
{{- $standard := dict
  "app.kubernetes.io/name" "labelplane"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/part-of" "labelplane"
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $standard .Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* Labels of the operator's Deployment, Service and pods: they can be selected. */ -}}
{{- define "labelplane.operatorLabels" -}}
{{- merge (include "labelplane.selector" . | fromYaml) (include "labelplane.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* The bundled object store: its objects, its Secret, and where it is reached. */ -}}
{{- define "labelplane.objectStore" -}}
{{- include "labelplane.fullname" . -}}-store
{{- end -}}

{{- define "labelplane.objectStoreSecret" -}}
{{- default (include "labelplane.objectStore" .) .Values.objectStore.bundled.existingSecret -}}
{{- end -}}

{{- define "labelplane.objectStoreEndpoint" -}}
http://{{ include "labelplane.objectStore" . }}.{{ .Release.Namespace }}.svc:7070
{{- end -}}

{{- define "labelplane.objectStoreSelector" -}}
app.kubernetes.io/name: labelplane
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: object-store
{{- end -}}

{{- define "labelplane.objectStoreLabels" -}}
{{- merge (include "labelplane.objectStoreSelector" . | fromYaml) (include "labelplane.labels" . | fromYaml) | toYaml -}}
{{- end -}}
