package sample

import "sync"

// service is one program whose lines a node's log holds.
type service struct {
	head   []string // " level service[pid]: "
	routes []string
}

// services call each other as in a small shop: a request id of one is logged by the next.
var services = sync.OnceValue(func() []service {
	return newServices(map[string][]string{
		"gateway":   {"/", "/login", "/cart", "/checkout", "/search", "/static/app.js"},
		"checkout":  {"/api/v1/checkout", "/api/v1/checkout/confirm", "/api/v1/coupon"},
		"payments":  {"/api/v1/charge", "/api/v1/refund", "/internal/settle"},
		"inventory": {"/api/v1/stock", "/api/v1/reserve", "/internal/recount"},
		"search":    {"/api/v2/query", "/api/v2/suggest"},
		"users":     {"/api/v1/session", "/api/v1/profile", "/api/v1/password"},
		"mailer":    {"/internal/send", "/internal/bounce"},
		"scheduler": {"/internal/tick", "/internal/sweep"},
	}, "gateway", "checkout", "payments", "inventory", "search", "users", "mailer", "scheduler")
})

func newServices(routes map[string][]string, order ...string) []service {
	// Of 16 lines 11 are of level info, 3 debug, one warn and one error.
	levels := []string{"info", "info", "info", "info", "info", "info", "info", "info", "info", "info", "info",
		"debug", "debug", "debug", "warn", "error"}
	var all []service
	for i, name := range order {
		s := service{routes: routes[name]}
		for j, level := range levels {
			pid := 1200 + 37*i + j%3
			s.head = append(s.head, string(appendInt(append([]byte(level+" "), (name+"[")...), uint64(pid)))+"]: ")
		}
		all = append(all, s)
	}
	return all
}

var (
	users = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
		"ivan", "judy", "mallory", "nina", "oscar", "peggy", "rupert", "sybil"}
	methods  = []string{"get", "get", "get", "get", "post", "post", "put", "delete"}
	statuses = []string{"200", "200", "200", "200", "200", "200", "200", "200", "201", "204", "302", "304", "400", "404", "429", "503"}
	phrases  = []string{
		"request served from the warm path without touching the primary",
		"cache lookup missed and the value was read from the replica",
		"retrying after the upstream closed the connection early",
		"connection pool is waiting for a free slot",
		"slow query: full scan of the table orders was logged by the planner",
		"rejected password for unknown account, counting towards the lockout",
		"leader lease renewed, no change of term",
		"timed out waiting for the lock of the row, rolling back",
		"batch flushed to the queue, consumer lag is back to normal",
		"token expired, asking the session service for a new one",
		"health check passed on all shards of the ring",
		"permission denied while opening the spool directory",
		"payload decoded, schema version differs from the writer's",
		"circuit breaker is half open, letting one probe through",
		"garbage collection pause was longer than the budget",
		"config reloaded, three keys changed, none needs a restart",
	}
)

// appendBody appends what stands between the head of a line and its tokens: mostly requests, some
// with the client's address, and some messages in prose.
func (w *writer) appendBody(b []byte, s *service) []byte {
	r := w.random.next()
	pick := func(list []string) string {
		word := list[r%uint64(len(list))]
		r >>= 5
		return word
	}
	b = append(b, "req="...)
	b = appendHex(b, w.random.next(), 16)
	b = append(append(b, " user="...), pick(users)...)
	b = appendInt(b, r%1000)
	r >>= 10
	if r&3 != 0 {
		r >>= 2
		b = append(append(b, ' '), pick(methods)...)
		b = append(append(b, ' '), pick(s.routes)...)
		b = append(append(b, " status="...), pick(statuses)...)
		b = appendInt(append(b, " dur="...), r%100)
		b = appendInt(append(b, '.'), r>>8%10)
		b = appendInt(append(b, "ms bytes="...), (r>>12)%100_000)
		r = w.random.next()
	}
	r >>= 2
	if r%7 == 0 { // about one line in seven names an address
		b = append(b, " from="...)
		for i := range 4 {
			if i > 0 {
				b = append(b, '.')
			}
			b = appendInt(b, 1+r>>(8*i)&0xff%254)
		}
	}
	r = w.random.next()
	b = append(append(b, ' '), pick(phrases)...)
	return b
}
