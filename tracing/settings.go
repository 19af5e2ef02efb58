package tracing

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings say where spans go, and as whose.
type Settings struct {
	Endpoint string            // URL that is posted to
	Headers  map[string]string // of each request
	Resource []Attribute       // who says it; service.name is always there
	Delay    time.Duration     // that a span waits at most for others to go with it
	Timeout  time.Duration     // of a request
}

// What the OpenTelemetry specification has for defaults.
const (
	defaultEndpoint = "http://localhost:4318"
	tracesPath      = "/v1/traces"
	defaultDelay    = 5 * time.Second
	defaultTimeout  = 10 * time.Second
)

// FromEnvironment reads the variables of the OpenTelemetry specification: nil settings mean that tracing
// is off, which it is unless OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set or
// OTEL_TRACES_EXPORTER is otlp; and with OTEL_SDK_DISABLED=true or OTEL_TRACES_EXPORTER=none whatever else
// is. A variable that asks for what is not served here is an error, which names it, and no settings.
func FromEnvironment(getenv func(string) string) (*Settings, error) {
	either := func(name string) (value, variable string) { // that of traces goes before that of all signals
		for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
			if value := strings.TrimSpace(getenv(variable)); value != "" {
				return value, variable
			}
		}
		return "", ""
	}
	endpoint, variable := either("ENDPOINT")
	exporter := strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER"))
	switch {
	case strings.EqualFold(strings.TrimSpace(getenv("OTEL_SDK_DISABLED")), "true"), exporter == "none", endpoint == "" && exporter != "otlp":
		return nil, nil
	case exporter != "" && exporter != "otlp":
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is neither otlp nor none", exporter)
	}
	s := &Settings{}
	var err error
	if s.Endpoint, err = endpointOf(endpoint, variable); err != nil {
		return nil, err
	}
	if protocol, variable := either("PROTOCOL"); !slices.Contains([]string{"", "http/json", "http/protobuf"}, protocol) {
		return nil, fmt.Errorf("%s: %q is not spoken, OTLP over HTTP alone is", variable, protocol)
	}
	if sampler := getenv("OTEL_TRACES_SAMPLER"); sampler != "" && sampler != "parentbased_always_on" {
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is not served, parentbased_always_on alone is", sampler)
	}
	headers, variable := either("HEADERS")
	list, err := pairs(headers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	s.Headers = map[string]string{}
	for _, h := range list {
		s.Headers[h.Key] = h.Value.(string)
	}
	if s.Resource, err = resource(getenv); err != nil {
		return nil, err
	}
	timeout, variable := either("TIMEOUT")
	if s.Timeout, err = milliseconds(variable, timeout, defaultTimeout); err != nil {
		return nil, err
	}
	const delay = "OTEL_BSP_SCHEDULE_DELAY"
	s.Delay, err = milliseconds(delay, getenv(delay), defaultDelay)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// endpointOf is the URL that is posted to: that of traces as it stands, that of all signals with the path
// of traces behind it.
func endpointOf(endpoint, variable string) (string, error) {
	if endpoint == "" {
		return defaultEndpoint + tracesPath, nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", variable, errors.Unwrap(err)) // the outer error holds the URL, and perhaps a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%s: not a URL of http or https", variable)
	case variable == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
		return u.String(), nil
	}
	return u.JoinPath(tracesPath).String(), nil
}

// resource says who speaks: OTEL_RESOURCE_ATTRIBUTES, over which OTEL_SERVICE_NAME goes.
func resource(getenv func(string) string) ([]Attribute, error) {
	all, err := pairs(getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	const key = "service.name"
	name := getenv("OTEL_SERVICE_NAME")
	named := slices.ContainsFunc(all, func(a Attribute) bool { return a.Key == key })
	switch {
	case name != "":
		all = slices.DeleteFunc(all, func(a Attribute) bool { return a.Key == key })
	case named:
		return all, nil
	default:
		name = "trawl"
	}
	return append(all, Attribute{key, name}), nil
}

// pairs reads key=value, joined by commas, each value percent-encoded.
func pairs(list string) ([]Attribute, error) {
	var all []Attribute
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			return nil, fmt.Errorf("entry %d is not key=value", len(all)+1) // which may be a secret
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("value of %s: not percent-encoded", key)
		}
		all = append(all, Attribute{key, value})
	}
	return all, nil
}

func milliseconds(variable, value string, otherwise time.Duration) (time.Duration, error) {
	if value == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%s: %q is not a number of milliseconds", variable, value)
	}
	return time.Duration(n) * time.Millisecond, nil
}
