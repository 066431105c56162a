package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// rushPeople are those of one office who come to work at the same time.
	rushPeople = 5000
	// rushLatency is how long the provider takes to accept a text.
	rushLatency = 300 * time.Millisecond
	// rushPatience is how long no text comes until those that are missing count as not sent.
	rushPatience = 15 * time.Second
)

// rushFigures are those of people who all ask for a code from one address, each in their own time: nobody waits
// for an answer to somebody else.
type rushFigures struct {
	People  int     `json:"people"`
	Seconds float64 `json:"seconds"`
	// Answers are counted by status; 0 is none.
	Answers map[int]int `json:"answers"`
	Answer  reach       `json:"answer_ms"`
	// Texts is how many reached the provider, each to another number.
	Texts int `json:"texts"`
	// Text is from the start to when the provider has its text.
	Text reach   `json:"text_ms"`
	CPU  float64 `json:"cpu_ms_each"`
}

// reach is how long something took, up to the longest, in milliseconds.
type reach struct {
	latency
	Max float64 `json:"max"`
}

func reachOf(all []time.Duration) reach {
	if len(all) == 0 {
		return reach{}
	}
	return reach{latency: latencyOf(all), Max: milliseconds(slices.Max(all))}
}

// rush is one in the making.
type rush struct {
	numbers []string
	over    time.Duration

	mu      sync.Mutex
	answers map[int]int
	took    []time.Duration
	due     map[string]time.Time
	arrived map[string]time.Time
	twice   int
	last    time.Time
}

func newRush(numbers []string, over time.Duration) *rush {
	return &rush{numbers: numbers, over: over, answers: map[int]int{}, due: map[string]time.Time{}, arrived: map[string]time.Time{}}
}

// measureRush runs a server as it is by default, but for the office's network.
func measureRush(ctx context.Context, w world, opts options) (_ *rushFigures, err error) {
	r := newRush(fictional(rushPeople), opts.rush)
	texts, err := openInbox(rushLatency, r.arrive)
	if err != nil {
		return nil, err
	}
	defer texts.close()
	w.twilio = texts.baseURL
	home, err := w.prepare(ctx, r.numbers, "LATCHKEY_COMPANY_NETWORKS=127.0.0.1")
	if err != nil {
		return nil, err
	}
	at, err := freeAddresses(1)
	if err != nil {
		return nil, err
	}
	p, err := w.serve(ctx, home, at[0])
	if err != nil {
		return nil, err
	}
	s := &subject{name: "latchkey", baseURL: "http://" + at[0], process: p}
	defer func() { err = stopAll([]*subject{s}, err) }()
	progress("%d people of one office ask for a code within %s", len(r.numbers), r.over)
	return r.run(ctx, s)
}

func (r *rush) run(ctx context.Context, s *subject) (*rushFigures, error) {
	before, err := s.process.cpu()
	if err != nil {
		return nil, err
	}
	if err := r.askAll(ctx, s); err != nil {
		return nil, err
	}
	if err := r.awaitTexts(ctx); err != nil {
		return nil, err
	}
	if err := pause(ctx, afterglow); err != nil {
		return nil, err
	}
	after, err := s.process.cpu()
	if err != nil {
		return nil, err
	}
	return r.figures(after - before)
}

// askAll sends a start for each number, evenly spread, and returns when all have been answered.
func (r *rush) askAll(ctx context.Context, s *subject) error {
	// Phones come with a connection each.
	phones := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: textTimeout}
	a := app{http: phones, baseURL: s.baseURL, client: algorithms[0].client}
	begun := time.Now()
	var all sync.WaitGroup
	defer all.Wait()
	for i, number := range r.numbers {
		due := begun.Add(time.Duration(i) * r.over / time.Duration(len(r.numbers)))
		if err := pause(ctx, time.Until(due)); err != nil {
			return err
		}
		all.Go(func() { r.ask(ctx, a, number, due) })
	}
	return nil
}

// ask sends one start. Its time runs from when it was due: a bench that is late itself hides nothing.
func (r *rush) ask(ctx context.Context, a app, number string, due time.Time) {
	r.mu.Lock()
	r.due[number] = due
	r.mu.Unlock()
	status := a.status(ctx, number)
	took := time.Since(due)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[status]++
	r.took = append(r.took, took)
}

// status is that of the answer to a start, or 0.
func (a app) status(ctx context.Context, number string) int {
	request, err := a.request(ctx, startPath, a.startParameters(number))
	if err != nil {
		return 0
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return 0
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return 0
	}
	return answer.StatusCode
}

// arrive hears of a text at the provider.
func (r *rush) arrive(number string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	if _, again := r.arrived[number]; again {
		r.twice++
		return
	}
	r.arrived[number] = r.last
}

// awaitTexts returns when all texts have come, or none comes any more.
func (r *rush) awaitTexts(ctx context.Context) error {
	asked := time.Now()
	for {
		r.mu.Lock()
		missing, quiet := len(r.numbers)-len(r.arrived), time.Since(later(r.last, asked))
		r.mu.Unlock()
		if missing <= 0 || quiet > rushPatience {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *rush) figures(cpu time.Duration) (*rushFigures, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.twice > 0 {
		return nil, fmt.Errorf("%d starts caused more than one text", r.twice)
	}
	var waited []time.Duration
	for number, at := range r.arrived {
		due, ok := r.due[number]
		if !ok {
			return nil, errors.New("a text went to somebody who has not asked")
		}
		waited = append(waited, at.Sub(due))
	}
	return &rushFigures{
		People: len(r.numbers), Seconds: r.over.Seconds(), Answers: r.answers, Answer: reachOf(r.took),
		Texts: len(r.arrived), Text: reachOf(waited), CPU: milliseconds(cpu) / float64(len(r.numbers)),
	}, nil
}
