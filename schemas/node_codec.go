package schemas

// A node record on the wire:
//
//	[ version, name, instance, host, trawl_version, [group…], [[k, v]…], [service…],
//	  files, bytes, started, ready, ephemeral, [peer…], store ]
//
// Store came later, and is not written of a node that has none.
const nodeFields = 13

// AppendNode appends the encoded record to dst. It does not validate.
func AppendNode(dst []byte, n *Node) []byte {
	w := appending(dst)
	fields := nodeFields
	if n.Store != nil {
		fields++
	}
	w.open(fields)
	w.string(n.Name)
	w.string(n.Instance)
	w.string(cut(n.Host, maxHost))
	w.string(cut(n.Version, maxVersion))
	w.strings(n.Groups)
	w.labels(n.Labels)
	w.strings(n.Services)
	w.int(n.Files)
	w.int(n.Bytes)
	w.int(n.Started)
	w.bool(n.Ready)
	w.bool(n.Ephemeral)
	w.strings(n.Peers)
	if n.Store != nil {
		w.store(n.Store)
	}
	return w.done()
}

// DecodeNode decodes and validates a record. It keeps nothing of msg.
func DecodeNode(msg []byte) (*Node, error) {
	if len(msg) > MaxNode {
		return nil, fieldErrorf("node", "has %d bytes, more than %d", len(msg), MaxNode)
	}
	r := &reader{msg: msg}
	n := &Node{}
	extra := r.open("node", nodeFields)
	n.Name = r.string("node.name", MaxToken)
	n.Instance = r.string("node.instance", MaxToken)
	n.Host = r.string("node.host", maxHost)
	n.Version = r.string("node.trawl_version", maxVersion)
	n.Groups = r.strings("node.groups", MaxGlobs, MaxToken)
	n.Labels = r.labels("node.labels")
	n.Services = r.strings("node.services", MaxServices, MaxName)
	n.Files = r.count("node.files")
	n.Bytes = r.count("node.bytes")
	n.Started = r.int("node.started")
	n.Ready = r.bool("node.ready")
	n.Ephemeral = r.bool("node.ephemeral")
	n.Peers = r.strings("node.peers", MaxPeers, MaxToken)
	if extra > 0 {
		n.Store = r.store()
		extra--
	}
	if err := r.close("node", extra); err != nil {
		return nil, err
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return n, nil
}

// Validate says what is wrong with a record; the error is a *FieldError.
func (n *Node) Validate() error {
	if err := CheckToken("node.name", n.Name); err != nil {
		return err
	}
	if err := CheckToken("node.instance", n.Instance); err != nil {
		return err
	}
	for _, l := range []struct {
		field  string
		tokens []string
		limit  int
	}{{"node.groups", n.Groups, MaxGlobs}, {"node.peers", n.Peers, MaxPeers}} {
		if len(l.tokens) > l.limit {
			return fieldErrorf(l.field, "has %d names, more than %d", len(l.tokens), l.limit)
		}
		for _, t := range l.tokens {
			if err := CheckToken(l.field, t); err != nil {
				return err
			}
		}
	}
	if len(n.Services) > MaxServices {
		return fieldErrorf("node.services", "has %d names, more than %d", len(n.Services), MaxServices)
	}
	for _, s := range n.Services {
		if len(s) > MaxName {
			return fieldErrorf("node.services", "holds a name of %d bytes, more than %d", len(s), MaxName)
		}
	}
	return validateLabels("node.labels", n.Labels)
}
