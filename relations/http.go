package relations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// found is what a source answered: under its own names, before aliases.
type found struct {
	calls    []Call
	services []string
	partial  string // why it is not all; empty: it is
	left     int    // of calls that were left out, since their names cannot be services'
}

// add takes a call as a source names it.
func (f *found) add(caller, callee string, count float64) error {
	if checkName(caller) != nil || checkName(callee) != nil {
		f.left++
		return nil
	}
	if len(f.calls) == MaxCalls {
		return fmt.Errorf("more than %d calls", MaxCalls)
	}
	f.calls = append(f.calls, Call{caller, callee, count})
	return nil
}

// getJSON reads an answer of at most MaxAnswer bytes into v. Whatever the status, a body that is JSON is
// read: both Prometheus and Jaeger say in it what went wrong.
func getJSON(ctx context.Context, client *http.Client, base, endpoint string, query url.Values, tokenFile string, v any) (status int, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, errors.New("the url cannot be read")
	}
	u = u.JoinPath(endpoint)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, errors.New("the url cannot be asked")
	}
	request.Header.Set("Accept", "application/json")
	if tokenFile != "" {
		token, err := os.ReadFile(tokenFile)
		if err != nil {
			return 0, fmt.Errorf("token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, unreached(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return response.StatusCode, fmt.Errorf("the answer breaks off: %w", unreached(ctx, err))
	case len(body) > MaxAnswer:
		return response.StatusCode, fmt.Errorf("the answer has more than %d bytes", MaxAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		if response.StatusCode/100 != 2 {
			return response.StatusCode, fmt.Errorf("status %s", response.Status)
		}
		return response.StatusCode, fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	return response.StatusCode, nil
}

// unreached is an error of the HTTP client without the URL in front, which may hold a password.
func unreached(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Jaeger is a Jaeger whose dependencies say who calls whom.
type Jaeger struct {
	URL       string   `yaml:"url"`
	Lookback  Duration `yaml:"lookback"`
	TokenFile string   `yaml:"token_file"` // of a bearer token
}

func (j *Jaeger) name() string { return "jaeger " + redacted(j.URL) }
func (j *Jaeger) key() string  { return fmt.Sprintf("jaeger %s %d", j.URL, j.Lookback) }

// ask reads /api/dependencies.
func (j *Jaeger) ask(ctx context.Context, client *http.Client, now time.Time) (*found, error) {
	var answer struct {
		Data []struct {
			Parent, Child string
			CallCount     float64
		}
		Errors []struct{ Msg string }
	}
	query := url.Values{
		"endTs":    {fmt.Sprint(now.UnixMilli())},
		"lookback": {fmt.Sprint(time.Duration(j.Lookback).Milliseconds())},
	}
	status, err := getJSON(ctx, client, j.URL, "api/dependencies", query, j.TokenFile, &answer)
	if err != nil {
		return nil, err
	}
	f := &found{}
	for _, d := range answer.Data {
		if err := f.add(d.Parent, d.Child, d.CallCount); err != nil {
			return nil, err
		}
	}
	if len(answer.Errors) > 0 {
		if len(f.calls) == 0 {
			return nil, fmt.Errorf("it says: %.200s", answer.Errors[0].Msg)
		}
		f.partial = fmt.Sprintf("it says: %.200s", answer.Errors[0].Msg)
	} else if status/100 != 2 {
		return nil, fmt.Errorf("status %d", status)
	}
	return f, nil
}
