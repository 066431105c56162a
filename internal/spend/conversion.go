package spend

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// Whoever earns by texts being sent has no use for the codes in them (TW 8). So a country where hardly
// any stranger's code is used is closed to strangers for a while. What was judged once is not judged
// again: after the pause, or an operator's Reopen, a whole new sample must be gathered.

const (
	// lookBack bounds the texts that are judged: what happened earlier says nothing of today.
	lookBack = 7 * 24 * time.Hour
	// watchEvery is how soon after a code's end it is judged. Every replica looks, one pauses.
	watchEvery = time.Minute
)

// History is the record of texts to strangers that a provider accepted.
type History interface {
	// StrangerCountries returns the countries that they went to after since and before before.
	StrangerCountries(ctx context.Context, since, before time.Time) ([]string, error)
	// StrangerSends returns of the last limit such texts to a country how many there are and how
	// many of their codes were used.
	StrangerSends(ctx context.Context, country string, since, before time.Time, limit int) (sent, redeemed int, err error)
}

// Unused judges the last texts to strangers in a country: true means that too few of their codes were
// used (M7). Fewer texts than the sample are not judged.
func (r Rules) Unused(sent, redeemed int) bool {
	return r.ConversionSample > 0 && sent >= r.ConversionSample && redeemed*100 < r.ConversionPercent*sent
}

// Watch calls CheckConversions once a minute until ctx ends, and alarm for what it finds.
func (s *Service) Watch(ctx context.Context, alarm func(Alarm)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		alarms, err := s.CheckConversions(ctx)
		for _, a := range alarms {
			alarm(a)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Log.WarnContext(ctx,
				"texts to strangers cannot be judged by the use of their codes; trying again in a minute", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// CheckConversions judges each country once and pauses it if need be. Of any number of replicas one
// gets the alarm. Alarms count even beside an error: they are of the countries before it.
func (s *Service) CheckConversions(ctx context.Context) ([]Alarm, error) {
	if s.rules.ConversionSample == 0 || s.rules.Roster {
		return nil, nil
	}
	state, err := s.store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read pauses: %w", err)
	}
	since, before := state.Now.Add(-lookBack), state.Now.Add(-s.options.CodeLife)
	countries, err := s.history.StrangerCountries(ctx, since, before)
	if err != nil {
		return nil, fmt.Errorf("read the countries of strangers: %w", err)
	}
	var alarms []Alarm
	for _, country := range countries {
		pause := state.Pauses[country]
		from := since
		if pause.JudgeFrom.After(from) {
			from = pause.JudgeFrom
		}
		if country == "" || !from.Before(before) {
			continue
		}
		paused, err := s.judge(ctx, country, pause.JudgeFrom, from, before)
		if err != nil {
			return alarms, fmt.Errorf("judge texts to %s: %w", country, err)
		}
		if paused {
			recordOnly := s.rules.RecordOnly[rule.Conversion]
			alarms = append(alarms, Alarm{Rule: rule.Conversion, Country: country, RecordOnly: recordOnly})
		}
	}
	return alarms, nil
}

func (s *Service) judge(ctx context.Context, country string, judged, from, before time.Time) (bool, error) {
	sent, redeemed, err := s.history.StrangerSends(ctx, country, from, before, s.rules.ConversionSample)
	if err != nil || !s.rules.Unused(sent, redeemed) {
		return false, err
	}
	return s.store.Pause(ctx, rand.Text(), country, judged, s.rules.ConversionPause, lookBack+s.rules.ConversionPause)
}
