{{- define "keyvigil.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters: a CronJob adds to its name, and the name of a Job is used as a label. */}}
{{- define "keyvigil.fullname" -}}
{{- $name := include "keyvigil.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $full | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "keyvigil.selector" -}}
app.kubernetes.io/name: {{ include "keyvigil.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "keyvigil.labels" -}}
{{ include "keyvigil.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "keyvigil.secret" -}}
{{- .Values.secret.name | default (include "keyvigil.fullname" .) }}
{{- end }}

{{- define "keyvigil.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "keyvigil.fullname" .) }}
{{- end }}

{{- define "keyvigil.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}
