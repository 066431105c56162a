package config

import (
	"strings"
	"testing"
	"time"
)

func TestKeyDefaults(t *testing.T) {
	k := mustLoad(t, disk{"main.yaml": minimal}).Keys
	for name, got := range map[string]bool{
		"30 days":                        k.RotateEvery == 30*day,
		"a day published before":         k.PublishBefore == day,
		"an hour after the last token":   k.KeepAfter == time.Hour,
		"no rehearsal":                   !k.Rehearsal,
		"encrypted under the secret key": k.Wrapping.Key.IsZero() && k.Wrapping.URL == "" && k.FormerWrapping.Key.IsZero(),
	} {
		if !got {
			t.Errorf("not so: %s: %+v", name, k)
		}
	}
}

func TestKeyBounds(t *testing.T) {
	const other = "HhwaGBYUEhAODAoIBgQCAAECAwQFBgcICQoLDA0ODxA="
	for name, tc := range map[string]struct {
		yaml string
		want []string // of the error; none is a setting that is right
	}{
		"as designed":                   {"rotate_every: 720h\n  publish_before: 24h", nil},
		"the floors":                    {"rotate_every: 1h\n  publish_before: 1h\n  keep_after: 1h\n  verifier_window: 1h", nil},
		"by hand":                       {"rotate_every: 0s", nil},
		"by hand, long published":       {"rotate_every: 0s\n  publish_before: 240h", nil},
		"below the floors":              {"rotate_every: 59m\n  publish_before: 59m\n  keep_after: 59m\n  verifier_window: 59m", []string{"keys.rotate_every: want 1h", "keys.publish_before: want 1h", "keys.keep_after: want 1h", "keys.verifier_window: want 1h"}},
		"a rehearsal":                   {"rehearsal: true\n  rotate_every: 3s\n  publish_before: 2s\n  keep_after: 5s", nil},
		"a rehearsal of nothing":        {"rehearsal: true\n  publish_before: 0s\n  keep_after: 0s", []string{"keys.publish_before: want 1s", "keys.keep_after: want 5s"}},
		"signs before it is published":  {"rotate_every: 2h\n  publish_before: 3h", []string{"keys.rotate_every: shorter than keys.publish_before"}},
		"above the ceilings":            {"rotate_every: 8785h\n  publish_before: 2161h", []string{"keys.rotate_every: want", "keys.publish_before: want"}},
		"negative":                      {"rotate_every: -1h", []string{"keys.rotate_every: want"}},
		"a key of its own":              {"wrapping: {key: " + other + "}", nil},
		"a key of its own, and another": {"wrapping: {key: " + other + "}\n  former_wrapping: {url: \"hashivault://old\"}", nil},
		"a short key":                   {"wrapping: {key: c2hvcnQ=}", []string{"keys.wrapping.key: want 32 random bytes"}},
		"a key that nobody drew":        {"former_wrapping: {key: " + strings.Repeat("00", 32) + "}", []string{"keys.former_wrapping.key: not random"}},
		"both":                          {"wrapping: {key: " + other + ", url: \"hashivault://new\"}", []string{"keys.wrapping.url: set beside keys.wrapping.key"}},
		"a hasty service":               {"wrapping: {timeout: 1ms}", []string{"keys.wrapping.timeout: want 100ms to 4s"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(disk{"main.yaml": minimal + "\nkeys:\n  " + tc.yaml + "\n"})
			if len(tc.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("want an error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%s", want, err)
				}
			}
			if got := strings.Count(err.Error(), "keys."); got != len(tc.want) && !strings.Contains(err.Error(), "shorter") && !strings.Contains(err.Error(), "beside") {
				t.Errorf("%d mistakes, want %d:\n%s", got, len(tc.want), err)
			}
			if strings.Contains(err.Error(), other) {
				t.Error("the error tells the key")
			}
		})
	}
}
