// Command errors is a service that asks the fleet: GET /errors?since=15m&pattern=error answers with the
// number of lines of each service, and with the nodes that did not answer in full.
//
//	go run ./examples/errors --listen 127.0.0.1:8080
//
// The bus is where NATS_URL or TRAWL_SERVER says. The principals are handler, which asks and counts, and
// Summary, which it answers.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/schemas"
)

// Summary is the answer to one request.
type Summary struct {
	Lines    map[string]int64  `json:"lines"`    // by service
	Complete bool              `json:"complete"` // else Lines are what is known: at least so many
	Missing  map[string]string `json:"missing"`  // by node: why it did not answer in full
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`ADDRESS` to serve on")
	flag.Parse()
	conn, err := bus.Connect(bus.Options{Name: "errors"}.FromEnvironment(os.Getenv))
	if err != nil {
		log.Fatal(err)
	}
	transport, err := onbus.New(conn, requester.DefaultWindow, func(err error) { log.Print(err) })
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/errors\n", listener.Addr())
	http.Handle("GET /errors", handler(requester.New(transport, transport)))
	log.Fatal(http.Serve(listener, nil))
}

// handler answers requests with what the fleet says. A request that is given up ends its query on all nodes.
func handler(ask *requester.Requester) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pattern := r.FormValue("pattern")
		if pattern == "" {
			pattern = "error"
		}
		query := requester.NewQuery(pattern)
		query.IgnoreCase, query.Mode, query.Timeout = true, schemas.ModeCount, time.Minute
		if since := r.FormValue("since"); since != "" {
			ago, err := time.ParseDuration(since)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			query.Since = time.Now().Add(-ago).UnixNano()
		}
		answer, err := ask.Query(r.Context(), query)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		s := Summary{Lines: map[string]int64{}, Missing: map[string]string{}}
		for hit := range answer.Hits() { // the error of the last step is what the receipt says
			s.Lines[hit.Service] += hit.Count
		}
		receipt := answer.Receipt()
		s.Complete = receipt.Complete
		for _, n := range receipt.Nodes {
			if n.Status != schemas.StatusComplete {
				s.Missing[n.Node] = n.Status.String() + ": " + n.Reason
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(s); err != nil {
			log.Print(err)
		}
	}
}
