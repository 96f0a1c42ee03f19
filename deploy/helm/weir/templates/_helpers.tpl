{{- define "weir.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.selector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* The port in config.service.http.listen. */}}
{{- define "weir.port" -}}
{{- .Values.config.service.http.listen | splitList ":" | last -}}
{{- end -}}

{{/*
Memory and CPU of one pod. weir capacity computes the same: a fixed 96 MiB, 16 KiB for each
stream that a pod may have to hold when one pod is gone, a quarter on top; and one core for
every 50000 events a second.
*/}}
{{- define "weir.resources" -}}
{{- if .Values.resources -}}
{{ toYaml .Values.resources }}
{{- else -}}
{{- $left := max 1 (sub (int .Values.replicas) 1) -}}
{{- $memory := div (mul 5 (add 96 (div (mul 16 (int .Values.capacity.streams)) (mul 1024 $left)))) 4 -}}
{{- $cpu := max 100 (div (int .Values.capacity.eventsPerSecond) (mul 50 $left)) -}}
requests:
  cpu: {{ $cpu }}m
  memory: {{ $memory }}Mi
limits:
  memory: {{ mul 2 $memory }}Mi
{{- end -}}
{{- end -}}

{{/* The container, which is the pod's own in mode deployment and an init container that stays in mode sidecar. */}}
{{- define "weir.container" -}}
- name: weir
  image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if eq .Values.mode "sidecar" }}
  restartPolicy: Always # this makes it a sidecar
  {{- end }}
  args: ["run", "--config", "/etc/weir/weir.yaml"]
  {{- with .Values.kafka.existingSecret }}
  env:
    - name: WEIR_KAFKA_SASL_USERNAME
      valueFrom: {secretKeyRef: {name: {{ . }}, key: username}}
    - name: WEIR_KAFKA_SASL_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
  {{- end }}
  ports:
    - {name: http, containerPort: {{ include "weir.port" . }}}
  # Alive: the process answers. Ready: in the group, and the store answers. The first
  # restarts it, so it must not depend on Kafka or Redis being there.
  livenessProbe:
    httpGet: {path: /livez, port: http}
  readinessProbe:
    httpGet: {path: /readyz, port: http}
  resources:
    {{- include "weir.resources" . | nindent 4 }}
  securityContext:
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: config, mountPath: /etc/weir, readOnly: true}
    {{- if .Values.redis.existingSecret }}
    - {name: redis, mountPath: /etc/weir-redis, readOnly: true}
    {{- end }}
    {{- if .Values.kafka.caSecret }}
    - {name: kafka-ca, mountPath: /etc/weir-kafka, readOnly: true}
    {{- end }}
{{- end -}}
