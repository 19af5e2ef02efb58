package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/relations"
	"github.com/trawl-logs/trawl/responder"
)

// setting is a key of a configuration, as limits.max_queries or sources[0].logs, and its value as a file might say
// it; empty: nothing is said.
type setting struct{ key, value string }

// settingsOf lists what a configuration, a pointer to a struct with yaml tags, says, in the order of its fields.
func settingsOf(config any) []setting {
	var all []setting
	addSettings(&all, "", reflect.ValueOf(config).Elem())
	return all
}

// addSettings adds those of a value, which stands under key.
func addSettings(all *[]setting, key string, v reflect.Value) {
	if text, ok := settingText(v.Interface()); ok {
		*all = append(*all, setting{key, text})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			addSettings(all, strings.TrimSuffix(strings.TrimPrefix(key+"."+name, "."), "."), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			addSettings(all, fmt.Sprintf("%s[%d]", key, i), v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			addSettings(all, key, v.Elem())
		}
	default:
		*all = append(*all, setting{key, fmt.Sprint(v.Interface())})
	}
}

// settingText is a value that is told in one piece.
func settingText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case responder.Duration:
		return durationText(time.Duration(v)), true
	case relations.Duration:
		return durationText(time.Duration(v)), true
	case responder.Size:
		return sizeText(int64(v)), true
	case responder.Percent:
		return strconv.FormatFloat(float64(v), 'f', -1, 64) + "%", true
	case responder.List:
		return strings.Join(v, ", "), true
	case []string:
		return strings.Join(v, ", "), true
	case *bool:
		if v == nil {
			return "", true
		}
		return strconv.FormatBool(*v), true
	case map[string]string:
		return pairs(v, func(s string) string { return s }), true
	case map[string][]string:
		return pairs(v, func(s []string) string { return "[" + strings.Join(s, ", ") + "]" }), true
	}
	return "", false
}

// pairs tells a map, sorted by its keys.
func pairs[V any](m map[string]V, text func(V) string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k+": "+text(m[k]))
	}
	return strings.Join(all, ", ")
}

// durationText is a duration as a configuration has it: 1d12h, 30s.
func durationText(d time.Duration) string {
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	text := rest.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	switch {
	case days == 0:
		return text
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, text)
}

// sizeText is a number of bytes as a configuration has it, exactly: 64MiB, 1000.
func sizeText(n int64) string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n > 0 && n%1024 == 0 && i+1 < len(units) {
		n, i = n/1024, i+1
	}
	return strconv.FormatInt(n, 10) + units[i]
}
