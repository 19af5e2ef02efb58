package feed

import (
	"encoding/json"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The labels of a container's log. A label that is not known is left out.
const (
	LabelContainer = "container"
	LabelPod       = "pod"
	LabelNamespace = "namespace"
)

// Names where Kubernetes puts logs. Pods' and namespaces' names hold no "_", containers' none either.
//
//	/var/log/pods/<namespace>_<pod>_<uid>/<container>/0.log
//	/var/log/containers/<pod>_<namespace>_<container>-<64 hex digits>.log
//
// They are compiled when first needed, as every command waits for what packages do at the start.
var (
	ofPod       = lazily(`/([a-z0-9.-]+)_([a-z0-9.-]+)_[0-9a-f-]+/([a-z0-9.-]+)/[^/]*$`)
	ofContainer = lazily(`/([a-z0-9.-]+)_([a-z0-9.-]+)_([a-z0-9.-]+)-[0-9a-f]{64}\.log[^/]*$`)
	ofDocker    = lazily(`/([0-9a-f]{64})-json\.log[^/]*$`)
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// Namer tells which container a log belongs to. It is safe for concurrent use.
type Namer struct {
	mu    sync.Mutex
	known map[string]named // what was read of Docker, by the log's directory
}

// named is what a container's configuration said when it was of that time.
type named struct {
	name string
	of   time.Time
}

// maxNamed bounds what is remembered.
const maxNamed = 4096

// Labels returns the labels of the log with an absolute path: from that, or from the name that Docker
// wrote beside the log; nil if nothing is known.
func (n *Namer) Labels(name string) map[string]string {
	if m := ofPod().FindStringSubmatch(name); m != nil {
		return map[string]string{LabelNamespace: m[1], LabelPod: m[2], LabelContainer: m[3]}
	}
	if m := ofContainer().FindStringSubmatch(name); m != nil {
		return map[string]string{LabelPod: m[1], LabelNamespace: m[2], LabelContainer: m[3]}
	}
	m := ofDocker().FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	if container := n.docker(path.Dir(name)); container != "" {
		return map[string]string{LabelContainer: container}
	}
	return map[string]string{LabelContainer: m[1][:12]} // as docker ps has it
}

// docker returns the name of the container whose log lies in a directory; empty if it cannot be read.
func (n *Namer) docker(dir string) string {
	config := dir + "/config.v2.json"
	info, err := os.Lstat(config)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	n.mu.Lock()
	old, ok := n.known[dir]
	n.mu.Unlock()
	if ok && old.of.Equal(info.ModTime()) {
		return old.name
	}
	name := nameIn(config)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= maxNamed {
		n.known = map[string]named{}
	}
	n.known[dir] = named{name, info.ModTime()}
	return name
}

func nameIn(config string) string {
	f, err := os.OpenFile(config, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	var content struct{ Name string }
	if json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&content) != nil {
		return ""
	}
	name := strings.TrimPrefix(content.Name, "/")
	if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }) {
		return ""
	}
	return name
}
