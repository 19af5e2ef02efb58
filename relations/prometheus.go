package relations

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prometheus is a server with Prometheus' HTTP API (Thanos and Mimir have it, too) whose metrics say who
// calls whom.
type Prometheus struct {
	URL       string   `yaml:"url"`
	Metrics   []string `yaml:"metrics"` // istio, service-graph; none: both
	Window    Duration `yaml:"window"`  // calls within it count
	TokenFile string   `yaml:"token_file"`
}

// Names of Prometheus.Metrics.
const (
	metricsIstio = "istio"
	metricsGraph = "service-graph"
)

func (p *Prometheus) finish() error {
	setDefault(&p.Window, DefaultWindow)
	if len(p.Metrics) == 0 {
		p.Metrics = []string{metricsIstio, metricsGraph}
	}
	for _, m := range p.Metrics {
		if m != metricsIstio && m != metricsGraph {
			return fmt.Errorf("metrics: %q is neither %s nor %s", m, metricsIstio, metricsGraph)
		}
	}
	return errors.Join(checkURL(p.URL), positive("window", p.Window))
}

func (p *Prometheus) name() string { return "prometheus " + redacted(p.URL) }
func (p *Prometheus) key() string {
	return fmt.Sprintf("prometheus %s %s %d", p.URL, strings.Join(p.Metrics, ","), p.Window)
}

// query is what is asked of a kind of metrics. A proxy on either side reports a call to Istio, so the
// reporter is kept, and the higher count taken.
func (p *Prometheus) query(metrics string) string {
	seconds := max(1, int64(time.Duration(p.Window)/time.Second))
	if metrics == metricsIstio {
		return fmt.Sprintf("sum by (reporter, source_canonical_service, source_app, source_workload, "+
			"destination_canonical_service, destination_app, destination_service_name, destination_workload) "+
			"(increase(istio_requests_total[%ds])) > 0", seconds)
	}
	return fmt.Sprintf("sum by (client, server, connection_type) (increase(traces_service_graph_request_total[%ds])) > 0", seconds)
}

// vector is the part of an answer of the HTTP API that is looked at.
type vector struct {
	Status   string
	Error    string
	Warnings []string
	Data     struct {
		ResultType string
		Result     []struct {
			Metric map[string]string
			Value  [2]any // time, and the number as text
		}
	}
}

// ask reads every kind of metrics. One that fails makes the answer a part.
func (p *Prometheus) ask(ctx context.Context, client *http.Client, now time.Time) (*found, error) {
	f := &found{}
	var failed []error
	for _, metrics := range p.Metrics {
		var answer vector
		query := url.Values{"query": {p.query(metrics)}, "time": {strconv.FormatInt(now.Unix(), 10)}}
		status, err := getJSON(ctx, client, p.URL, "api/v1/query", query, p.TokenFile, &answer)
		switch {
		case err != nil:
		case answer.Status == "error":
			err = fmt.Errorf("it says: %.200s", answer.Error)
		case status/100 != 2 || answer.Status != "success":
			err = fmt.Errorf("status %d", status)
		case answer.Data.ResultType != "vector":
			err = fmt.Errorf("the answer is a %.20q, no vector", answer.Data.ResultType)
		default:
			err = f.addVector(&answer, metrics)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s metrics: %w", metrics, err))
		} else if len(answer.Warnings) > 0 {
			f.partial = fmt.Sprintf("it warns: %.200s", answer.Warnings[0])
		}
	}
	if len(failed) == len(p.Metrics) {
		return nil, failed[0]
	}
	if len(failed) > 0 {
		f.partial = failed[0].Error()
	}
	return f, nil
}

func (f *found) addVector(answer *vector, metrics string) error {
	for i := range answer.Data.Result {
		r := &answer.Data.Result[i]
		text, ok := r.Value[1].(string)
		count, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return errors.New("a value is no number")
		}
		if !(count > 0) || math.IsInf(count, 0) { // nobody called, or NaN
			continue
		}
		caller, callee := istioNames(r.Metric)
		if metrics == metricsGraph {
			caller, callee = graphNames(r.Metric)
		}
		if callee == "" {
			continue
		}
		if caller == "" { // from outside
			if checkName(callee) == nil {
				f.services = append(f.services, callee)
			}
			continue
		}
		if err := f.add(caller, callee, count); err != nil {
			return err
		}
	}
	return nil
}

// istioNames are who called whom; empty: nobody that is known. Istio writes "unknown" where a side has no
// proxy, and these names for what leaves the mesh.
func istioNames(metric map[string]string) (caller, callee string) {
	first := func(labels ...string) string {
		for _, l := range labels {
			if v := metric[l]; v != "" && !slices.Contains([]string{"unknown", "PassthroughCluster", "BlackHoleCluster"}, v) {
				return v
			}
		}
		return ""
	}
	return first("source_canonical_service", "source_app", "source_workload"),
		first("destination_canonical_service", "destination_app", "destination_service_name", "destination_workload")
}

// graphNames are who called whom. A virtual client called "user" stands for whoever is outside.
func graphNames(metric map[string]string) (caller, callee string) {
	caller, callee = metric["client"], metric["server"]
	if caller == "user" && metric["connection_type"] == "virtual_node" {
		caller = ""
	}
	return caller, callee
}
