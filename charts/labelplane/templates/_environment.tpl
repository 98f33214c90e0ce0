{{- /* What the operator is told: a list of environment variables. */ -}}
{{- define "labelplane.environment" -}}
- name: LABELPLANE_INSTALLATION
  value: {{ include "labelplane.installationId" . | quote }}
- name: LABELPLANE_INSTALLATION_KEY_FILE
  value: /var/run/labelplane/installation/key
- name: LABELPLANE_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: LABELPLANE_POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: LABELPLANE_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: LABELPLANE_LEASE_NAME
  value: {{ include "labelplane.operator" . }}
- name: LABELPLANE_LEASE_DURATION_SECONDS
  value: {{ .Values.leaderElection.leaseDurationSeconds | quote }}
- name: LABELPLANE_RENEW_DEADLINE_SECONDS
  value: {{ .Values.leaderElection.renewDeadlineSeconds | quote }}
- name: LABELPLANE_RETRY_PERIOD_SECONDS
  value: {{ .Values.leaderElection.retryPeriodSeconds | quote }}
- name: LABELPLANE_WORKERS
  value: {{ .Values.workers | quote }}
- name: LABELPLANE_RESYNC_SECONDS
  value: {{ .Values.resyncSeconds | quote }}
- name: LABELPLANE_HEALTH_PORT
  value: "8080"
- name: LABELPLANE_METRICS_PORT
  value: "9090"
- name: LABELPLANE_SCALER_PORT
  value: {{ ternary "6000" "0" .Values.keda.enabled | quote }}
- name: LABELPLANE_SCALER_ADDRESS
  value: {{ ternary (printf "%s.%s.svc:6000" (include "labelplane.operator" .) .Release.Namespace) "" .Values.keda.enabled | quote }}
- name: LABELPLANE_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- range $name := list "small" "aggregation" "scoring" "distillation" "review" }}
- name: LABELPLANE_IMAGE_{{ upper $name }}
  value: {{ include "labelplane.image" (list $ $name) | quote }}
{{- end }}
- name: LABELPLANE_IMAGE_PULL_POLICY
  value: {{ .Values.images.pullPolicy }}
- name: LABELPLANE_IMAGE_PULL_SECRETS
  value: {{ join "," .Values.images.pullSecrets | quote }}
- name: LABELPLANE_REVIEW_ADDRESS
  value: {{ include "labelplane.reviewAddress" . | quote }}
- name: LABELPLANE_TRUSTED_PACKAGES
  value: {{ join "," .Values.jobs.trustedPackages | quote }}
- name: LABELPLANE_QUEUE_SERVERS
  value: {{ include "labelplane.queueServers" . | quote }}
- name: LABELPLANE_QUEUE_CREDENTIALS
  value: {{ include "labelplane.queueFolder" . | quote }}
- name: LABELPLANE_QUEUE_API_PREFIX
  value: {{ .Values.queue.apiPrefix | quote }}
- name: LABELPLANE_QUEUE_CREDENTIALS_SECRET
  value: {{ .Values.queue.jobsSecret | quote }}
- name: LABELPLANE_QUEUE_REPLICAS
  value: {{ .Values.queue.replicas | quote }}
{{- end -}}
