{{- /* The address of an image; takes a list of the root and the image's name under `images`. */ -}}
{{- define "labelplane.image" -}}
{{- include "labelplane.imageAddress" (list (index . 0) (index (index . 0).Values.images (index . 1))) -}}
{{- end -}}

{{- /* The address of an image; takes a list of the root and the image's values. */ -}}
{{- define "labelplane.imageAddress" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with coalesce $image.registry $root.Values.images.registry -}}{{ . }}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ coalesce $image.tag $root.Values.images.tag $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}
