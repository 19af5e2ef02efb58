package profile

import (
	"fmt"
	"strings"
)

// title names what was measured.
func (r *Report) title() string {
	return fmt.Sprintf("trawl grep, %d nodes × %s, %s", r.Nodes, Size(r.Bytes/int64(max(1, r.Nodes))), trials(r.Trials))
}

// trials is so many of them.
func trials(n int) string {
	if n == 1 {
		return "1 trial"
	}
	return fmt.Sprintf("%d trials", n)
}

// Text is the report as Markdown: the table, what it was measured on, and a paragraph that reads it.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; times in ms, of whole processes\n\n", r.title())
	b.WriteString("| token | mean ± sd | min | median | p95 | first line | lines | moved | searched |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Tokens {
		t := &r.Tokens[i]
		first := "–"
		if t.Output > 0 {
			first = ms(t.FirstLine)
		}
		fmt.Fprintf(&b, "| %s | %s ± %s | %s | %s | %s | %s | %d | %s | %s |\n", t.Token, ms(t.Mean), ms(t.SD),
			ms(t.Min), ms(t.Median), ms(t.P95), first, t.Lines, Size(t.Moved), Size(t.BytesRead))
	}
	fmt.Fprintf(&b, "\n%s; %s.", r.Began.Format("2006-01-02"), r.Machine)
	switch i := r.Index; {
	case i != nil && i.Complete:
		fmt.Fprintf(&b, " The nodes had indexed their logs before, in %.0f s.", i.Seconds)
	case i != nil:
		fmt.Fprintf(&b, " The nodes had not indexed all of their logs within %.0f s: what was searched depends on how far they were.", i.Seconds)
	}
	if r.Verified {
		b.WriteString(" Every answer was held against truth.json.")
	}
	return b.String() + "\n\n" + r.Reading()
}

// Reading is a paragraph that reads the figures.
func (r *Report) Reading() string {
	if len(r.Tokens) == 0 {
		return ""
	}
	slow, quick := &r.Tokens[0], &r.Tokens[0]
	peak := int64(0)
	for i := range r.Tokens {
		t := &r.Tokens[i]
		if t.Mean > slow.Mean {
			slow = t
		}
		if t.Mean < quick.Mean {
			quick = t
		}
		peak = max(peak, t.Peak)
	}
	total := slow.Stages["total"]
	share := func(stage string) string {
		return fmt.Sprintf("%.0f ms (%.0f %%)", slow.Stages[stage], 100*slow.Stages[stage]/total)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The slowest token is %s: %s ms in the mean, for %d lines, %s of text. Of the %.0f ms (median) that the requester itself counts, ",
		slow.Token, ms(slow.Mean), slow.Lines, Size(slow.Output), total)
	fmt.Fprintf(&b, "the slowest node was at its scan, waiting for the requester included, for %s; the transfer took %s from the first frame to the last; printing took %s. ",
		share("scan"), share("transfer"), share("print"))
	b.WriteString("The three run beside each other, so the shares do not add up to 100 %. ")
	if slow.Output > 0 {
		fmt.Fprintf(&b, "Its first line was there after %s ms, and the answer came at %s/s. ", ms(slow.FirstLine), Size(int64(float64(slow.Output)/slow.Median)))
	}
	fmt.Fprintf(&b, "The quickest is %s, %s ms.", quick.Token, ms(quick.Mean))
	if peak > 0 {
		fmt.Fprintf(&b, " A requester had at most %s resident.", Size(peak))
	}
	if r.GivenFleet {
		return b.String() + "\n"
	}
	if cost := r.CostPerGB(); cost.Nodes > 0 {
		fmt.Fprintf(&b, " Over all tokens the nodes used %.2f CPU seconds for a GB searched", cost.Nodes)
		if cost.Bus > 0 || cost.Requester > 0 {
			fmt.Fprintf(&b, "; for a GB of answer the bus used %.2f and the requester %.2f", cost.Bus, cost.Requester)
		}
		b.WriteString(".")
	}
	if i := r.Idle; i != nil {
		fmt.Fprintf(&b, " Afterwards, with nobody asking, no responder used more than %.2f %% of a core over %.0f s, or had more than %s resident (at most %s during the run).",
			100*i.CPUShare, i.Seconds, Size(i.Resident), Size(i.Peak))
		if missed := r.Missed(); len(missed) > 0 {
			b.WriteString(" Goals missed: " + strings.Join(missed, "; ") + ".")
		}
	}
	return b.String() + "\n"
}

// ms writes seconds as milliseconds, with a digit after the point below 10.
func ms(seconds float64) string {
	if v := seconds * 1000; v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", seconds*1000)
}

// Size writes bytes in decimal units: "0 B", "35 MB", "1.5 GB".
func Size(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if unit != "B" && v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}
