{{- /* What a schema cannot say. Each message names the value and what to do. */ -}}
{{- define "labelplane.checks" -}}
{{- with .Values.leaderElection -}}
{{- if ge (int .renewDeadlineSeconds) (int .leaseDurationSeconds) -}}
{{- fail (printf "leaderElection.renewDeadlineSeconds (%v) must be less than leaseDurationSeconds (%v): a leader must be gone before another takes over" .renewDeadlineSeconds .leaseDurationSeconds) -}}
{{- end -}}
{{- if gt (mul 12 .retryPeriodSeconds) (mul 10 .renewDeadlineSeconds) -}}
{{- fail (printf "leaderElection.renewDeadlineSeconds (%v) must be at least 1.2 times retryPeriodSeconds (%v): one failed try is no lost Lease" .renewDeadlineSeconds .retryPeriodSeconds) -}}
{{- end -}}
{{- end -}}
{{- $set := dict -}}
{{- range (include "labelplane.environment" . | fromYamlArray) -}}
{{- $_ := set $set .name true -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $set .name -}}
{{- fail (printf "extraEnv names %s, which the chart sets or which stands there twice: remove it and use the chart's value" .name) -}}
{{- end -}}
{{- $_ := set $set .name true -}}
{{- end -}}
{{- with .Values.review -}}
{{- if and .proxy.userHeader (not .proxy.existingSecret) (not .proxy.addresses) -}}
{{- fail "review.proxy.userHeader needs review.proxy.existingSecret or addresses: without, anybody could write the header" -}}
{{- end -}}
{{- if and (or .ingress.enabled .httpRoute.enabled) (not .externalUrl) -}}
{{- fail "review.ingress and review.httpRoute need review.externalUrl: its host is the one that they serve" -}}
{{- end -}}
{{- end -}}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- if or (hasKey $.Values.podLabels $key) (hasKey $.Values.commonLabels $key) -}}
{{- fail (printf "podLabels and commonLabels may not hold %s: the chart selects pods by it" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
