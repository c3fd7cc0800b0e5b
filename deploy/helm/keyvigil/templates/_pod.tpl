{{/* The pod of both modes. The modes differ in the command, the probes and the restart policy. */}}
{{- define "keyvigil.pod" -}}
{{- $isServe := eq .Values.mode "serve" -}}
metadata:
  labels:
    {{- include "keyvigil.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- if and $isServe .Values.secret.external.enabled }}
    checksum/secret: {{ include (print .Template.BasePath "/externalsecret.yaml") . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  restartPolicy: {{ $isServe | ternary "Always" "Never" }}
  serviceAccountName: {{ include "keyvigil.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false # the Service of `serve` would set KEYVIGIL_PORT and similar variables
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: keyvigil
      image: {{ include "keyvigil.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if $isServe }}
        - serve
        - --listen
        - {{ printf "0.0.0.0:%d" (int .Values.serve.port) | quote }}
        {{- if .Values.serve.reports.enabled }}
        - --reports
        - /var/lib/keyvigil
        {{- end }}
        {{- else }}
        - scan
        - --deadline
        - {{ int .Values.cronjob.deadlineMinutes | quote }}
        {{- end }}
        - --config
        - /etc/keyvigil/keyvigil.yaml
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: KEYVIGIL_POLICY
          value: {{ join " " .Values.policies | quote }}
        {{- $reports := list }}
        {{- range $format, $file := .Values.reports }}
        {{- $reports = append $reports (printf "%s=/var/lib/keyvigil/%s" $format $file) }}
        {{- end }}
        {{- if $reports }}
        - name: KEYVIGIL_OUTPUT
          value: {{ join " " $reports | quote }}
        {{- end }}
        {{- if $isServe }}
        - name: KEYVIGIL_METRICS_TEXTFILE # on the volume, so that a new pod has the metrics of the last scan
          value: {{ .Values.serve.metricsTextfile | quote }}
        {{- end }}
        {{- if and $isServe .Values.serve.reports.enabled }}
        - name: KEYVIGIL_REPORTS_TOKEN # listed here, so that a pod without a token does not start
          valueFrom:
            secretKeyRef:
              name: {{ include "keyvigil.secret" . }}
              key: KEYVIGIL_REPORTS_TOKEN
        {{- end }}
        {{- if not .Values.persistence.enabled }}
        - name: KEYVIGIL_STORE # listed here, so that a pod without a history does not start
          valueFrom:
            secretKeyRef:
              name: {{ include "keyvigil.secret" . }}
              key: KEYVIGIL_STORE
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      envFrom:
        - secretRef:
            name: {{ include "keyvigil.secret" . }}
        {{- with .Values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if $isServe }}
      ports:
        - name: http
          containerPort: {{ int .Values.serve.port }}
      startupProbe:
        httpGet: { path: /readyz, port: http }
        {{- toYaml .Values.serve.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: { path: /readyz, port: http }
        {{- toYaml .Values.serve.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        {{- toYaml .Values.serve.probes.readiness | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: config, mountPath: /etc/keyvigil, readOnly: true }
        - { name: state, mountPath: /var/lib/keyvigil }
        - { name: tmp, mountPath: /tmp }
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "keyvigil.fullname" . }}
    - name: state
      {{- if .Values.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim | default (include "keyvigil.fullname" .) }}
      {{- else }}
      emptyDir:
        sizeLimit: 256Mi
      {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
