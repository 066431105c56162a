package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
)

// table writes the report for people to read: one table for each kind of figures.
func (r report) table(w io.Writer) error {
	fmt.Fprintf(w, "\n%d cores, shared with PostgreSQL, Redis and the load; %s, %s.\n", r.Machine.Cores, r.Machine.Go, r.Machine.Platform)
	if len(r.SignIns) > 0 || r.Starts != nil || len(r.Refreshes) > 0 || r.Introspections != nil {
		fmt.Fprintf(w, "%d at once. Median of %d measurements of %g s each, by turns (least to most).\n"+
			"Bare is a handler that does only the unavoidable work, on the same tables.\n",
			r.Machine.Workers, r.Machine.Rounds, r.Machine.Seconds)
	}
	for _, section := range []struct {
		there bool
		write func(io.Writer)
	}{
		{len(r.SignIns) > 0, r.signIns},
		{r.Starts != nil, func(w io.Writer) { r.Starts.table(w) }},
		{r.Rush != nil, func(w io.Writer) { r.Rush.table(w) }},
		{len(r.Refreshes) > 0, r.refreshes},
		{r.Introspections != nil, r.introspections},
		{r.Lists != nil, func(w io.Writer) { r.Lists.states(w) }},
		{r.Lists != nil, func(w io.Writer) { r.Lists.revocations(w) }},
		{len(r.Signatures) > 0, r.signatures},
		{len(r.Aims) > 0, r.verdicts},
	} {
		if !section.there {
			continue
		}
		fmt.Fprintln(w)
		table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		section.write(table)
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r report) signIns(w io.Writer) {
	fmt.Fprintln(w, "\tSIGN-INS/S\tCPU MS EACH\tSTART P50/P99 MS\tTOKEN P50/P99 MS")
	for _, c := range r.SignIns {
		for _, of := range c.rows() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", of.name, of.PerSecond.text(0), of.CPU.text(2), of.Start.text(), of.Token.text())
		}
		c.ratio(w)
	}
	if r.JWKS != nil {
		fmt.Fprintf(w, "JWKS\t%.0f answers/s\t%d bytes\t\t\n", r.JWKS.PerSecond, r.JWKS.Bytes)
	}
}

func (f startFigures) table(w io.Writer) {
	fmt.Fprintln(w, "START AND ITS TEXT\tSTARTS/S\tCPU MS EACH\tANSWER P50/P99 MS\tREDIS SCRIPTS\tREDIS MS EACH")
	for _, of := range f.Settings {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%.3f\n",
			of.Name, of.PerSecond.text(0), of.CPU.text(3), of.Token.text(), of.Scripts, of.RedisCPU)
	}
	fmt.Fprintf(w, "limited - lifted\t\t%s\t\t%.2f\t\n", f.Cost.text(3), f.addedScripts())
}

func (f rushFigures) table(w io.Writer) {
	fmt.Fprintf(w, "%s PEOPLE OF ONE OFFICE ASK WITHIN %g S\tCOUNT\tP50 MS\tP99 MS\tMAX MS\n", grouped(f.People), f.Seconds)
	for _, status := range slices.Sorted(maps.Keys(f.Answers)) {
		fmt.Fprintf(w, "answers %d\t%s\t\t\t\n", status, grouped(f.Answers[status]))
	}
	fmt.Fprintf(w, "from the start to the answer\t\t%s\n", f.Answer.text())
	fmt.Fprintf(w, "from the start to the text at the provider, who takes %s\t%s\t%s\n", rushLatency, grouped(f.Texts), f.Text.text())
	fmt.Fprintf(w, "CPU ms of a start and its text\t\t%.2f\t\t\n", f.CPU)
}

func (r reach) text() string { return fmt.Sprintf("%.1f\t%.1f\t%.1f", r.P50, r.P99, r.Max) }

func (r report) refreshes(w io.Writer) {
	fmt.Fprintln(w, "\tREFRESHES/S\tCPU MS EACH\tP50/P99 MS")
	for _, c := range r.Refreshes {
		for _, of := range c.rows() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", of.name, of.PerSecond.text(0), of.CPU.text(2), of.Token.text())
		}
		c.ratio(w)
	}
}

func (r report) introspections(w io.Writer) {
	f := r.Introspections
	fmt.Fprintln(w, "\tINTROSPECTIONS/S\tCPU MS EACH\tP50/P99 MS")
	fmt.Fprintf(w, "RS256 latchkey\t%s\t%s\t%s\n", f.PerSecond.text(0), f.CPU.text(2), f.Token.text())
}

func (r report) signatures(w io.Writer) {
	fmt.Fprintln(w, "ONE CORE\tSIGNATURES/S\tµS EACH\tALLOCATIONS\tBYTES")
	for _, c := range r.Signatures {
		for _, of := range []struct {
			name string
			signatureFigures
		}{{"latchkey, an access token", c.Latchkey}, {"bare, the signature alone", c.Bare}} {
			fmt.Fprintf(w, "%s %s\t%s\t%s\t%.0f\t%.0f\n", c.Algorithm, of.name, of.PerSecond.text(0), of.Microseconds.text(1), of.Allocations, of.Bytes)
		}
		fmt.Fprintf(w, "%s ratio\t\t%s\t\t\n", c.Algorithm, c.Ratio.text(2))
	}
}

// named are the figures of a row.
type named struct {
	name string
	figures
}

func (c comparison) rows() []named {
	return []named{{c.Algorithm + " latchkey", c.Latchkey}, {c.Algorithm + " bare", c.Bare}}
}

func (c comparison) ratio(w io.Writer) {
	fmt.Fprintf(w, "%s ratio\t%.2f\t%s\t\t\n", c.Algorithm, c.Latchkey.PerSecond.Median/c.Bare.PerSecond.Median, c.CPURatio.text(2))
}

func (f listFigures) states(w io.Writer) {
	fmt.Fprintln(w, "STATUS LIST\tSIZE AS SERVED\tSTART OF SERVE, WITH THE LIST BUILT\tMEMORY OF SERVE AT REST")
	for _, s := range f.States {
		name := "empty database"
		if s.Sessions > 0 {
			name = fmt.Sprintf("%s sessions, %.1f %% revoked", grouped(s.Sessions), 100*float64(s.Revoked)/float64(s.Sessions))
		}
		fmt.Fprintf(w, "%s\t%s bytes\t%s s\t%.1f MB\n", name, grouped(s.Size), s.Start.text(3), megabytes(s.Resident))
	}
}

func (f listFigures) revocations(w io.Writer) {
	one, many := f.Single, f.Batch
	fmt.Fprintf(w, "%d REVOKED, ONE AT A TIME, WITH 10 %% REVOKED\tREPLICA CALLED\tTHE OTHER\n", one.Count)
	fmt.Fprintf(w, "from the call until the list shows it\t%s ms\t%s ms\n", one.Told.text(0), one.Other.text(0))
	fmt.Fprintf(w, "CPU of the replica for each\t%.1f ms\t%.1f ms\n", one.ToldCPU, one.OtherCPU)
	fmt.Fprintf(w, "\t\t\n%s REVOKED BY ONE COMMAND\tBEFORE\tMEANWHILE\n", grouped(many.Sessions))
	fmt.Fprintf(w, "time of the command\t\t%.1f s\n", many.Command)
	fmt.Fprintf(w, "from its start until both replicas' lists show all\t\t%.1f s\n", many.Listed)
	fmt.Fprintf(w, "refreshes of other people, p50/p99\t%s ms\t%s ms\n", many.Before.text(), many.Meanwhile.text())
}

func (r report) verdicts(w io.Writer) {
	fmt.Fprintln(w, "FIGURE\tMEASURED\tAIM\t")
	for _, a := range r.Aims {
		verdict := "missed"
		if a.Met {
			verdict = "met"
		}
		fmt.Fprintf(w, "%s\t%.2f %s\tat most %g\t%s\n", a.What, a.Figure, a.Unit, a.AtMost, verdict)
	}
}

func (s spread) text(decimals int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

func (l latency) text() string { return fmt.Sprintf("%.1f / %.1f", l.P50, l.P99) }

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
