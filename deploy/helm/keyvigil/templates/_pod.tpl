{{/* The pod, alike for both modes: what differs are the command, the probes and whether it is started again. */}}
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
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  restartPolicy: {{ $isServe | ternary "Always" "Never" }}
  serviceAccountName: {{ include "keyvigil.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false # the Service of `serve` would set KEYVIGIL_PORT and the like
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
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
  containers:
    - name: keyvigil
      image: {{ include "keyvigil.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if $isServe }}
        - serve
        - --listen
        - {{ printf "0.0.0.0:%d" (int .Values.serve.port) | quote }}
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
        - name: KEYVIGIL_METRICS_TEXTFILE # kept, so that a new pod tells of the last scan, too
          value: {{ .Values.serve.metricsTextfile | quote }}
        {{- end }}
        {{- if not .Values.persistence.enabled }}
        - name: KEYVIGIL_STORE # named, so that a pod without a history does not start
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
      {{- if $isServe }}
      ports:
        - name: http
          containerPort: {{ int .Values.serve.port }}
      startupProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 30
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 15
        timeoutSeconds: 5
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: config, mountPath: /etc/keyvigil, readOnly: true }
        - { name: state, mountPath: /var/lib/keyvigil }
        - { name: tmp, mountPath: /tmp }
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
{{- end }}
