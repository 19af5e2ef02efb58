package trail

import "slices"

// Story returns all lines in the order of their times, each with the calls that lead to its service. It
// may be called when Next has nothing more.
func (p *Planner) Story() []Line {
	lines := slices.Clone(p.lines)
	for _, at := range p.places {
		if !p.all {
			lines = append(lines, at.lines...)
		}
	}
	p.hops(lines)
	order(lines)
	return lines
}

// Found returns the services that have a line, sorted.
func (p *Planner) Found() []string {
	var services []string
	for _, l := range p.Story() {
		services = append(services, l.Service)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// hops sets how many calls lead from an entry to each line's service, by the shortest way; services
// without a line do not count. What is on no way has 0.
func (p *Planner) hops(lines []Line) {
	if p.o.Graph == nil {
		return
	}
	logged := map[string]bool{}
	for i := range lines {
		logged[lines[i].Service] = true
	}
	entries := p.entries
	if len(entries) == 0 {
		entries = p.o.Graph.Roots()
	}
	hop := map[string]int{}
	var level []string
	enter := func(s string, at int) {
		if known, ok := hop[s]; !ok || at < known {
			hop[s] = at
			level = append(level, s)
		}
	}
	for _, s := range entries {
		enter(s, 0)
	}
	for len(level) > 0 {
		callers := level
		level = nil
		for _, s := range callers {
			next := hop[s]
			if logged[s] {
				next++
			}
			for _, callee := range p.o.Graph.Callees(s) {
				enter(callee, next)
			}
		}
	}
	for i := range lines {
		lines[i].Hop = hop[lines[i].Service]
	}
}
