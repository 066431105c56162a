package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

type keysList struct {
	All bool `help:"Also the keys that are gone."`
	where
	output
}

// Run prints the keys and their verifiers.
func (cmd keysList) Run(ctx context.Context, env Env) error {
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		keys := d.snapshot.Published()
		if cmd.All {
			var err error
			if keys, err = d.store.KeyHistory(ctx); err != nil {
				return err
			}
		}
		slices.SortStableFunc(keys, func(a, b keyring.Key) int {
			return cmp.Or(cmp.Compare(slices.Index(keyring.Algorithms, a.Algorithm), slices.Index(keyring.Algorithms, b.Algorithm)),
				cmp.Compare(order[a.State], order[b.State]))
		})
		if cmd.json() {
			return writeJSON(env.Stdout, d.listJSON(keys))
		}
		if len(keys) == 0 {
			fmt.Fprintln(env.Stdout, "There are no keys yet: serve makes them when it first starts.")
			return nil
		}
		if err := d.writeKeys(env.Stdout, keys); err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout)
		d.writeServers(env.Stdout)
		fmt.Fprintln(env.Stdout)
		return d.writeVerifiers(env.Stdout, d.staged(d.snapshot.InUse()))
	})
}

// order is that of a key's life.
var order = map[keyring.State]int{keyring.Next: 0, keyring.Current: 1, keyring.Previous: 2, keyring.Retired: 3, keyring.Revoked: 4}

// life is what a key has before it. Times that are not known, or do not apply, are zero.
type life struct {
	since, signsUntil, publishedUntil, tokensUntil time.Time
	next                                           string
}

// life tells a key's from the schedule.
func (d *keyDesk) life(k keyring.Key) life {
	now := d.snapshot.Now
	switch k.State {
	case keyring.Next:
		l := life{since: k.PublishedAt}
		current, signs := d.snapshot.Find(k.Algorithm, keyring.Current)
		at := d.rules.RotatesAt(current, &k)
		switch {
		case !signs:
			l.next = "signs when a server first needs " + k.Algorithm
		case at.IsZero():
			l.next = "may sign from " + d.when(d.rules.MaySignAt(k)) + "; you rotate"
		default:
			l.next = "signs from " + d.when(at)
		}
		return l
	case keyring.Current:
		l := life{since: k.ActivatedAt, tokensUntil: k.TokensUntil(now)}
		next, staged := d.snapshot.Find(k.Algorithm, keyring.Next)
		if staged {
			l.signsUntil = d.rules.RotatesAt(k, &next)
		} else {
			l.signsUntil = d.rules.RotatesAt(k, nil)
		}
		if !l.signsUntil.IsZero() {
			l.tokensUntil = l.signsUntil.Add(k.Longest)
			l.publishedUntil = l.tokensUntil.Add(d.rules.KeepAfter)
		}
		switch {
		case !staged:
			l.next = "the key after it is made " + d.when(d.rules.Outlook([]keyring.Key{k})[0].At)
		case l.signsUntil.IsZero():
			l.next = "signs until you rotate"
		default:
			l.next = brief(next.KID) + " takes over " + d.when(l.signsUntil)
		}
		return l
	case keyring.Previous:
		return life{
			since: k.StoppedAt, signsUntil: k.StoppedAt, tokensUntil: k.TokensUntil(now), publishedUntil: d.rules.RetiresAt(k),
			next: "leaves the JWKS " + d.when(d.rules.RetiresAt(k)),
		}
	}
	l := life{since: k.EndedAt, signsUntil: k.StoppedAt, publishedUntil: k.EndedAt, tokensUntil: k.TokensUntil(now), next: "gone"}
	if k.State == keyring.Revoked {
		l.tokensUntil = time.Time{} // they are dead
		l.next = "revoked: " + k.Reason
	}
	return l
}

func (d *keyDesk) writeKeys(w io.Writer, keys []keyring.Key) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tALGORITHM\tSTATE\tSINCE (UTC)\tSIGNS UNTIL\tTOKENS UNTIL\tPUBLISHED UNTIL\tWHAT COMES NEXT")
	for _, k := range keys {
		l := d.life(k)
		fmt.Fprintln(table, strings.Join([]string{
			brief(k.KID), k.Algorithm, string(k.State), d.clock(l.since), d.clock(l.signsUntil), d.clock(l.tokensUntil), d.clock(l.publishedUntil), l.next,
		}, "\t"))
	}
	return table.Flush()
}

// layout shows seconds where they matter.
func (d *keyDesk) layout() string {
	if d.rules.PublishBefore < time.Hour {
		return time.DateTime
	}
	return "2006-01-02 15:04"
}

// clock is a time in a table.
func (d *keyDesk) clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(d.layout())
}

// when is a time to come in a sentence.
func (d *keyDesk) when(t time.Time) string {
	left := t.Sub(d.snapshot.Now)
	if left <= 0 {
		return "now"
	}
	return d.clock(t) + " (in " + span(left) + ")"
}

// span says how long something takes, as a person would.
func span(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%d s", (d+time.Second-1)/time.Second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%d min", (d+30*time.Second)/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", (d+30*time.Minute)/time.Hour)
	}
	return fmt.Sprintf("%d days", (d+12*time.Hour)/(24*time.Hour))
}

// writeServers says who publishes these keys.
func (d *keyDesk) writeServers(w io.Writer) {
	live, behind := d.snapshot.Live(), d.snapshot.Behind(d.snapshot.Revision)
	switch {
	case len(live) == 0:
		fmt.Fprintln(w, "No server is running.")
	case len(behind) == 0:
		fmt.Fprintf(w, "%s published by %s.\n", these(len(d.snapshot.Published())), count(len(live), "running server"))
	default:
		fmt.Fprintf(w, "%d of %s not noticed the last change: %s. Its log says why.\n",
			len(behind), plural(len(live), "running server has", "running servers have"), serverNames(behind))
	}
}

func these(n int) string {
	if n == 1 {
		return "This key is"
	}
	return "These keys are"
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func serverNames(replicas []keyring.Replica) string {
	names := make([]string, len(replicas))
	for i, r := range replicas {
		names[i] = r.ID
	}
	return strings.Join(names, ", ")
}

// verifierGroup are verifiers of one name that stand alike.
type verifierGroup struct {
	newest verifier.Verifier
	more   int
	lacks  []string // algorithms whose next key it has not fetched
	worst  verifier.Standing
}

// grouped gathers verifiers by name and standing: instances of a service are of interest together.
func (d *keyDesk) grouped(next []keyring.Key) []verifierGroup {
	var groups []verifierGroup
	index := map[string]int{}
	for _, v := range d.verifiers {
		g := verifierGroup{newest: v, worst: verifier.Has}
		for _, k := range next {
			standing := d.standing(v, k)
			if standing != verifier.Has {
				g.lacks = append(g.lacks, k.Algorithm)
			}
			if severity[standing] > severity[g.worst] {
				g.worst = standing
			}
		}
		id := fmt.Sprint(v.Name, "\x00", g.worst, g.lacks)
		if at, ok := index[id]; ok {
			groups[at].more++
			continue
		}
		index[id] = len(groups)
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b verifierGroup) int {
		return cmp.Or(cmp.Compare(severity[b.worst], severity[a.worst]), cmp.Compare(a.newest.Name, b.newest.Name))
	})
	return groups
}

var severity = map[verifier.Standing]int{verifier.Has: 0, verifier.Quiet: 1, verifier.Soon: 2, verifier.Lacks: 3}

// shownVerifiers bounds the table; --output json has them all.
const shownVerifiers = 40

func (d *keyDesk) writeVerifiers(w io.Writer, next []keyring.Key) error {
	groups := d.grouped(next)
	if len(groups) == 0 {
		fmt.Fprintln(w, "No fetch of the keys is recorded. They show here after some 5 s; behind a cache or CDN, only its own do.")
		return nil
	}
	fmt.Fprintln(w, d.verifiersTitle(next))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := []string{"VERIFIER", "FROM", "LAST FETCH", "FETCHES", "HAS THE NEXT KEY"}
	if len(next) == 0 {
		columns = columns[:4]
	}
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	for _, g := range groups[:min(len(groups), shownVerifiers)] {
		from := g.newest.Source
		if g.more > 0 {
			from += fmt.Sprintf(" and %d more", g.more)
		}
		cells := []string{g.newest.Name, from, ago(g.newest.LastAt, d.snapshot.Now), habit(g.newest), verdict(g, len(next))}
		fmt.Fprintln(table, strings.Join(cells[:len(columns)], "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := len(groups) - shownVerifiers; more > 0 {
		fmt.Fprintf(w, "… and %d more (--output json shows them all)\n", more)
	}
	return nil
}

func (d *keyDesk) verifiersTitle(next []keyring.Key) string {
	if len(next) == 0 {
		return "Who fetches the keys (none is published to sign next, so far):"
	}
	names := make([]string, len(next))
	for i, k := range next {
		names[i] = fmt.Sprintf("%s (%s, published %s)", brief(k.KID), k.Algorithm, ago(k.PublishedAt, d.snapshot.Now))
	}
	return "Who has fetched what signs next, " + strings.Join(names, " and ") + ":"
}

// habit says how often a verifier fetches.
func habit(v verifier.Verifier) string {
	switch every := v.Interval(); {
	case v.Fetches == 1:
		return "once"
	case every <= 0:
		return fmt.Sprintf("%d times", v.Fetches)
	default:
		return "every " + span(every)
	}
}

// verdict says whether a verifier has the next keys, and what to do if not.
func verdict(g verifierGroup, staged int) string {
	which := ""
	if len(g.lacks) < staged {
		which = strings.Join(g.lacks, ", ") + ": "
	}
	switch g.worst {
	case verifier.Lacks:
		return which + "NO, last fetched before it was published; if it still runs, restart it"
	case verifier.Soon:
		return which + "not yet; it should fetch within " + span(2*g.newest.Interval())
	case verifier.Quiet:
		return which + "no, but idle or gone: does not count"
	}
	return "yes"
}
