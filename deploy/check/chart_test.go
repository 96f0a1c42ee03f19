package check

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/weirstream/weir/config"
)

var update = flag.Bool("update", false, "rewrite testdata/*.yaml; read the difference before keeping it")

// render returns the chart's files as Helm renders them, one after another by name, without
// the notes.
func render(t *testing.T, values map[string]any) string {
	t.Helper()
	chart, err := loader.Load("../helm/weir")
	if err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "telemetry", Namespace: "default", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if text := strings.TrimSpace(files[name]); strings.HasSuffix(name, ".yaml") && text != "" {
			out.WriteString("---\n" + text + "\n")
		}
	}
	return out.String()
}

// cases are the values of each golden file.
var cases = map[string]map[string]any{
	"deployment": {},
	"sidecar": {
		"mode":    "sidecar",
		"sidecar": map[string]any{"containers": []any{map[string]any{"name": "app", "image": "app:1.0.0"}}},
	},
	"everything": {
		"replicas": 4, "keda": map[string]any{"enabled": true}, "serviceMonitor": map[string]any{"enabled": true},
		"kafka":    map[string]any{"existingSecret": "weir-kafka", "caSecret": "kafka-ca"},
		"capacity": map[string]any{"streams": 1000000, "eventsPerSecond": 100000},
		"config": map[string]any{"kafka": map[string]any{
			"tls":  map[string]any{"enabled": true, "ca_file": "/etc/weir-kafka/ca.crt"},
			"sasl": map[string]any{"mechanism": "scram-sha-512"},
		}},
	},
}

func TestChartRendersWhatWasRead(t *testing.T) {
	for name, values := range cases {
		got := render(t, values)
		file := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the chart no longer renders as %s; see the difference with -update and git diff", name, file)
		}
	}
}

// kinds are Kubernetes' own types; what they do not know is a mistyped field. The others are
// of operators that a cluster may have, whose types are not here.
var kinds = map[string]func() any{
	"ConfigMap":           func() any { return &corev1.ConfigMap{} },
	"Service":             func() any { return &corev1.Service{} },
	"Deployment":          func() any { return &appsv1.Deployment{} },
	"PodDisruptionBudget": func() any { return &policyv1.PodDisruptionBudget{} },
	"NetworkPolicy":       func() any { return &networkingv1.NetworkPolicy{} },
}

var foreign = []string{"ScaledObject", "ServiceMonitor", "KafkaTopic", "KafkaUser"}

// decode checks the documents of one file and returns them by kind.
func decode(t *testing.T, name, text string) map[string][]any {
	t.Helper()
	all := map[string][]any{}
	for doc := range strings.SplitSeq(text, "---\n") {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if slices.Contains(foreign, head.Kind) || head.Kind == "" {
			continue
		}
		if kinds[head.Kind] == nil {
			t.Errorf("%s: kind %q is not checked", name, head.Kind)
			continue
		}
		object := kinds[head.Kind]()
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			t.Errorf("%s: %s: %v", name, head.Kind, err)
		}
		all[head.Kind] = append(all[head.Kind], object)
	}
	return all
}

func TestManifestsAreOfKubernetesTypes(t *testing.T) {
	files, err := filepath.Glob("../kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, file, string(bytes.TrimSpace(text))+"\n")
	}
}

func TestChartIsOfKubernetesTypes(t *testing.T) {
	for name, values := range cases {
		objects := decode(t, name, render(t, values))
		if len(objects["Deployment"]) != 1 || len(objects["ConfigMap"]) != 1 {
			t.Fatalf("%s: %d deployments, %d config maps", name, len(objects["Deployment"]), len(objects["ConfigMap"]))
		}
		checkPod(t, name, &objects["Deployment"][0].(*appsv1.Deployment).Spec.Template.Spec)
		checkConfig(t, name, objects["ConfigMap"][0].(*corev1.ConfigMap).Data["weir.yaml"])
	}
}

// checkPod checks what the chart promises of the pod.
func checkPod(t *testing.T, name string, pod *corev1.PodSpec) {
	t.Helper()
	containers := pod.Containers
	if name == "sidecar" {
		containers = pod.InitContainers
	}
	if len(containers) != 1 || containers[0].Name != "weir" {
		t.Fatalf("%s: weir is not the container: %v", name, containers)
	}
	weir := containers[0]
	if sidecar := weir.RestartPolicy != nil && *weir.RestartPolicy == corev1.ContainerRestartPolicyAlways; sidecar != (name == "sidecar") {
		t.Errorf("%s: restart policy %v", name, weir.RestartPolicy)
	}
	if s := weir.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) == 0 {
		t.Errorf("%s: security context %+v", name, s)
	}
	if pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || *pod.AutomountServiceAccountToken {
		t.Errorf("%s: the pod may run as root or talk to Kubernetes", name)
	}
	for _, m := range weir.VolumeMounts {
		if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) || !m.ReadOnly {
			t.Errorf("%s: mount %s has no volume, or is not read only", name, m.Name)
		}
	}
}

func checkConfig(t *testing.T, name, text string) {
	t.Helper()
	url := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(url, []byte("rediss://weir:secret@redis:6379/0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"WEIR_KAFKA_SASL_USERNAME=weir", "WEIR_KAFKA_SASL_PASSWORD=secret"}
	if name != "everything" {
		env = nil
	}
	text = strings.ReplaceAll(text, "/etc/weir-redis/url", url)
	if _, err := config.Parse(name, []byte(text), config.Overrides{Environ: env}); err != nil {
		t.Errorf("%s: weir does not take the configuration: %v", name, err)
	}
}

func TestWrongModesAreErrors(t *testing.T) {
	chart, err := loader.Load("../helm/weir")
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []map[string]any{{"mode": "daemon"}, {"mode": "sidecar"}} {
		all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: "x"}, common.DefaultCapabilities)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Render(chart, all); err == nil {
			t.Errorf("%v renders", values)
		}
	}
}
