package requester_test

import (
	"context"
	"fmt"
	"log"

	"github.com/trawl-logs/trawl/requester"
)

// A program asks the nodes of a roster for lines, prints them as they come, and then looks at the
// receipt, which says whether that was all.
func ExampleRequester_Query() {
	transport := &fleet{logs: map[string]string{ // bus.Scatter in earnest
		"web1": "GET /a 200\nGET /b 500\n",
		"web2": "GET /c 200\n",
	}}
	r := requester.New(transport, requester.GivenRoster{"web1", "web2", "web3"})

	answer, err := r.Query(context.Background(), requester.NewQuery("GET"))
	if err != nil {
		log.Fatal(err)
	}
	for hit, err := range answer.Hits() {
		if err != nil { // the last step, if the answer is not complete
			fmt.Println("error:", err)
			break
		}
		fmt.Printf("%s %s: %s\n", hit.Node, hit.File, hit.Text)
	}
	for _, n := range answer.Receipt().Nodes {
		fmt.Println(n.Node, n.Status, n.Lines)
	}
	// Output:
	// web1 app.log: GET /a 200
	// web1 app.log: GET /b 500
	// web2 app.log: GET /c 200
	// error: the answer is not complete: web3 down: nobody is subscribed for it
	// web1 complete 2
	// web2 complete 1
	// web3 down 0
}
