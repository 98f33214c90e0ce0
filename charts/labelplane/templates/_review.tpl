{{- define "labelplane.review" -}}
{{- include "labelplane.fullname" . -}}-review
{{- end -}}

{{- define "labelplane.reviewClusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "labelplane.review" .) -}}
{{- end -}}

{{- define "labelplane.reviewSelector" -}}
app.kubernetes.io/name: labelplane
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: review
{{- end -}}

{{- define "labelplane.reviewLabels" -}}
{{- merge (include "labelplane.reviewSelector" . | fromYaml) (include "labelplane.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* Where jobs tell people to go; without an address of its own, that of the Service. Empty without a front. */ -}}
{{- define "labelplane.reviewAddress" -}}
{{- if .Values.review.enabled -}}
{{- default (printf "http://%s.%s.svc:8080" (include "labelplane.review" .) .Release.Namespace) .Values.review.externalUrl -}}
{{- end -}}
{{- end -}}

{{- define "labelplane.reviewHost" -}}
{{- (urlParse .Values.review.externalUrl).hostname -}}
{{- end -}}

{{- /* What the front does in a namespace whose jobs it shows. */ -}}
{{- define "labelplane.reviewRules" -}}
- apiGroups: [labelplane.io]
  resources: [labelingjobs]
  verbs: [list, watch]
{{- end -}}

{{- define "labelplane.reviewEnvironment" -}}
- name: LABELPLANE_INSTALLATION_KEY_FILE
  value: /var/run/labelplane/installation/key
- name: LABELPLANE_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: LABELPLANE_PORT
  value: "8080"
- name: LABELPLANE_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: LABELPLANE_TOKEN_AUDIENCE
  value: {{ .Values.review.tokenAudience | quote }}
{{- with .Values.review.proxy }}
- name: LABELPLANE_USER_HEADER
  value: {{ .userHeader | quote }}
- name: LABELPLANE_GROUPS_HEADER
  value: {{ .groupsHeader | quote }}
- name: LABELPLANE_USER_PREFIX
  value: {{ .userPrefix | quote }}
- name: LABELPLANE_GROUPS_PREFIX
  value: {{ .groupsPrefix | quote }}
- name: LABELPLANE_PROXY_ADDRESSES
  value: {{ join "," .addresses | quote }}
{{- if .existingSecret }}
- name: LABELPLANE_PROXY_SECRET_FILE
  value: /var/run/labelplane/proxy/secret
{{- end }}
{{- end }}
{{- end -}}
