package katib

// The experiments in examples/deploy: valid as Katib's webhook sees them and as this service does, and their trials run here, with what
// Katib makes of their commands.

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	api "github.com/kubeflow/katib/pkg/apis/manager/v1beta1"
	"go.yaml.in/yaml/v3"
)

const deploy = "../../../examples/deploy"

// manifest is what is looked at of an Experiment.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		Objective struct {
			Type                  string
			ObjectiveMetricName   string   `yaml:"objectiveMetricName"`
			AdditionalMetricNames []string `yaml:"additionalMetricNames"`
		}
		Algorithm struct {
			AlgorithmName     string                         `yaml:"algorithmName"`
			AlgorithmSettings []struct{ Name, Value string } `yaml:"algorithmSettings"`
		}
		MaxTrialCount       int32 `yaml:"maxTrialCount"`
		ParallelTrialCount  int32 `yaml:"parallelTrialCount"`
		MaxFailedTrialCount int32 `yaml:"maxFailedTrialCount"`
		Parameters          []struct {
			Name          string
			ParameterType string `yaml:"parameterType"`
			FeasibleSpace struct {
				Min, Max, Step string
				List           []string
			} `yaml:"feasibleSpace"`
		}
		TrialTemplate struct {
			PrimaryContainerName string                             `yaml:"primaryContainerName"`
			SuccessCondition     string                             `yaml:"successCondition"`
			FailureCondition     string                             `yaml:"failureCondition"`
			TrialParameters      []struct{ Name, Reference string } `yaml:"trialParameters"`
			TrialSpec            map[string]any                     `yaml:"trialSpec"`
		} `yaml:"trialTemplate"`
	}
}

func readManifest(t *testing.T, name string) (m manifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if m.APIVersion != "kubeflow.org/v1beta1" || m.Kind != "Experiment" || !dns1123.MatchString(m.Metadata.Name) || len(m.Metadata.Name) > 40 {
		t.Fatalf("%+v", m)
	}
	template := m.Spec.TrialTemplate
	if template.PrimaryContainerName == "" || template.SuccessCondition == "" || template.FailureCondition == "" {
		t.Fatalf("%+v", template)
	}
	return m
}

// experiment as Katib's controller converts it.
func (m manifest) experiment() *api.Experiment {
	spec := &api.ExperimentSpec{
		ParameterSpecs: &api.ExperimentSpec_ParameterSpecs{},
		Objective: &api.ObjectiveSpec{
			Type:                api.ObjectiveType(api.ObjectiveType_value[strings.ToUpper(m.Spec.Objective.Type)]),
			ObjectiveMetricName: m.Spec.Objective.ObjectiveMetricName, AdditionalMetricNames: m.Spec.Objective.AdditionalMetricNames,
		},
		Algorithm:     &api.AlgorithmSpec{AlgorithmName: m.Spec.Algorithm.AlgorithmName},
		MaxTrialCount: m.Spec.MaxTrialCount, ParallelTrialCount: m.Spec.ParallelTrialCount,
	}
	for _, one := range m.Spec.Algorithm.AlgorithmSettings {
		spec.Algorithm.AlgorithmSettings = append(spec.Algorithm.AlgorithmSettings, setting(one.Name, one.Value))
	}
	for _, one := range m.Spec.Parameters {
		spec.ParameterSpecs.Parameters = append(spec.ParameterSpecs.Parameters, &api.ParameterSpec{
			Name: one.Name, ParameterType: api.ParameterType(api.ParameterType_value[strings.ToUpper(one.ParameterType)]),
			FeasibleSpace: &api.FeasibleSpace{
				Min: one.FeasibleSpace.Min, Max: one.FeasibleSpace.Max, Step: one.FeasibleSpace.Step, List: one.FeasibleSpace.List,
			},
		})
	}
	return &api.Experiment{Name: m.Metadata.Name, Spec: spec}
}

// command of a trial: values are pasted into JSON, and the collection of metrics is put behind what the container runs.
func (m manifest) command(t *testing.T, assignments []*api.ParameterAssignment, metrics string) []string {
	t.Helper()
	text, err := json.Marshal(m.Spec.TrialTemplate.TrialSpec)
	if err != nil {
		t.Fatal(err)
	}
	trial, used := string(text), 0
	for _, parameter := range m.Spec.TrialTemplate.TrialParameters {
		place := "${trialParameters." + parameter.Name + "}"
		if !strings.Contains(trial, place) {
			t.Fatal(place, " is not in ", trial)
		}
		for _, assignment := range assignments {
			if assignment.Name == parameter.Reference {
				trial = strings.ReplaceAll(trial, place, assignment.Value)
				used++
			}
		}
	}
	if used != len(assignments) || strings.Contains(trial, "${trial") {
		t.Fatal(assignments, trial)
	}
	var job struct {
		APIVersion string `json:"apiVersion"`
		Kind       string
		Spec       struct {
			Template struct {
				Spec struct {
					RestartPolicy string
					Containers    []struct {
						Name, Image   string
						Command, Args []string
						VolumeMounts  []struct{ MountPath string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(trial), &job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	if job.APIVersion != "batch/v1" || job.Kind != "Job" || pod.RestartPolicy != "Never" || len(pod.Containers) != 1 {
		t.Fatalf("%+v", job)
	}
	container := pod.Containers[0]
	if container.Name != m.Spec.TrialTemplate.PrimaryContainerName || container.Image != "nse" || container.VolumeMounts[0].MountPath != "/data" {
		t.Fatalf("%+v", container)
	}
	words, shell := append(container.Command, container.Args...), []string{"sh", "-c"}
	if words[0] == "sh" && words[1] == "-c" {
		words = words[2:]
	}
	return append(shell, strings.Join(append(words, "1>"+metrics, "2>&1", "&&", "echo completed > "+metrics+".pid"), " "))
}

// collected is Katib's filter.
var collected = regexp.MustCompile(`([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`)

func TestExperiments(t *testing.T) {
	// Where `make build` leaves it: beside the library.
	nse, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("NSE_LIB"), "../../../target/release"), "nse"))
	if _, missing := os.Stat(nse); err != nil || missing != nil {
		t.Fatal("the program nse is not built: ", missing)
	}
	client, _ := serve(t)
	for _, name := range []string{"katib-architectures.yaml", "katib-searches.yaml"} {
		t.Run(name, func(t *testing.T) {
			m := readManifest(t, name)
			e := m.experiment()
			if _, err := client.ValidateAlgorithmSettings(t.Context(), &api.ValidateAlgorithmSettingsRequest{Experiment: e}); err != nil {
				t.Fatal(err)
			}
			reply, err := client.GetSuggestions(t.Context(), &api.GetSuggestionsRequest{Experiment: e, CurrentRequestNumber: 2, TotalRequestNumber: 2})
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			writeImages(t, folder)
			metrics := filepath.Join(folder, "metrics.log")
			command := m.command(t, reply.ParameterAssignments[1].Assignments, "/tmp/metrics.log")
			// The image and its volumes are folders here.
			command[2] = strings.NewReplacer("/data", folder, "/tmp/", folder+"/").Replace(command[2])
			trial := exec.Command(command[0], command[1:]...)
			trial.Env = append(os.Environ(), "PATH="+filepath.Dir(nse)+":"+os.Getenv("PATH"), "OMP_NUM_THREADS=1")
			if said, err := trial.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v, %s", command, err, said)
			}
			text, err := os.ReadFile(metrics)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(metrics + ".pid"); err != nil {
				t.Fatal(err)
			}
			found := map[string]string{}
			for _, match := range collected.FindAllStringSubmatch(string(text), -1) {
				found[match[1]] = match[2]
			}
			for _, metric := range append(e.Spec.Objective.AdditionalMetricNames, e.Spec.Objective.ObjectiveMetricName) {
				if found[metric] == "" {
					t.Fatalf("no %s in %q", metric, text)
				}
			}
		})
	}
}

// writeImages of ten classes, as IDX files.
func writeImages(t *testing.T, folder string) {
	t.Helper()
	for name, count := range map[string]uint32{"train": 96, "t10k": 32} {
		var labels, pixels []byte
		for i := range count {
			label := i % 10
			labels = append(labels, byte(label))
			for at := range uint32(28 * 28) {
				value := byte(255)
				if (at/28+at%28)%(label+2) != 0 {
					value = byte(25 * label)
				}
				pixels = append(pixels, value)
			}
		}
		for kind, content := range map[string][]any{
			"images-idx3": {[]uint32{0x803, count, 28, 28}, pixels},
			"labels-idx1": {[]uint32{0x801, count}, labels},
		} {
			var file bytes.Buffer
			zipped := gzip.NewWriter(&file)
			for _, part := range content {
				binary.Write(zipped, binary.BigEndian, part)
			}
			zipped.Close()
			if err := os.WriteFile(filepath.Join(folder, name+"-"+kind+"-ubyte.gz"), file.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}
