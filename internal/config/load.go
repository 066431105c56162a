package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	maxFileSize   = 1 << 20
	maxSecretSize = 64 << 10
)

// LoadOptions say where the settings come from.
type LoadOptions struct {
	// Mode decides what must be set; the zero Mode is Serve.
	Mode Mode
	// Base returns the settings under all layers; nil means Defaults.
	Base func() Config
	// Files are YAML files, each laid over the one before it.
	Files []string
	// Environ is the environment, as os.Environ returns it. Of a variable given twice the last
	// counts.
	Environ []string
	// Parts, if set, asks those who will use the settings what only they can check. Each line of
	// its error begins with the path of a setting and ": ".
	Parts func(Config) error
	// Now tells the day for dates that must not be far ahead; nil means time.Now.
	Now func() time.Time
	// ReadFile reads a settings file or a secret's file; nil means os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Load reads the settings and checks them. The error is an *Invalid with every mistake, and the
// Config then is empty.
func Load(opts LoadOptions) (Config, error) {
	if opts.Base == nil {
		opts.Base = Defaults
	}
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := opts.Base()
	c.Clients, c.Tiers = maps.Clone(c.Clients), slices.Clone(c.Tiers) // Base keeps its own
	c.SMS.Providers, c.SMS.Money.Prices = maps.Clone(c.SMS.Providers), maps.Clone(c.SMS.Money.Prices)
	c.origins = origins{}
	l := loader{report: &report{}, origins: c.origins, read: opts.ReadFile}
	for _, name := range opts.Files {
		l.file(&c, name)
	}
	l.environment(&c, opts.Environ)
	l.readSecrets(&c)
	c.complete()
	if !l.report.unread {
		c.check(opts.Mode, opts.Now(), l.report)
		l.askParts(c, opts.Parts)
	}
	if err := l.report.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// askParts adds what the parts find, except where a mistake is known already.
func (l *loader) askParts(c Config, parts func(Config) error) {
	if parts == nil {
		return
	}
	err := parts(c)
	if err == nil {
		return
	}
	known := &report{problems: l.report.problems}
	for line := range strings.Lines(err.Error()) {
		setting, message, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if at := path(strings.Split(setting, ".")); !known.related(at) {
			l.report.add(at, c.origins.of(at), message)
		}
	}
}

// loader lays one layer over another and remembers where settings came from.
type loader struct {
	report  *report
	origins origins
	read    func(name string) ([]byte, error)
}

// file lays the YAML file called name over c.
func (l *loader) file(c *Config, name string) {
	data, err := l.read(name)
	if err != nil {
		l.report.broken(nil, Origin{File: name}, reason(err))
		return
	}
	d := decoder{loader: l, origin: Origin{File: name}}
	if node, ok := d.parse(nil, data); ok {
		d.value(nil, node, reflect.ValueOf(c).Elem())
	}
}

// readSecrets replaces each secret that names a file by what the file holds. It comes last, so
// that a file which a later layer overrode need not exist.
func (l *loader) readSecrets(c *Config) {
	each(nil, reflect.ValueOf(c).Elem(), func(at path, v reflect.Value) {
		s, ok := v.Interface().(Secret)
		if !ok || s.file == "" {
			return
		}
		value, err := l.readSecret(s.file)
		if err != nil {
			o := l.origins.of(at)
			o.SecretFile = ""
			l.report.add(at, o, fmt.Sprintf("the secret's file%s %s", shownPath(s.file), err))
		}
		v.Set(reflect.ValueOf(NewSecret(value)))
	})
}

func (l *loader) readSecret(file string) (string, error) {
	data, err := l.read(file)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %s", reason(err))
	}
	if len(data) > maxSecretSize {
		return "", errors.New("is larger than 64 KiB: want the secret alone")
	}
	value := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(value) == "" {
		return "", errors.New("is empty")
	}
	return value, nil
}

// shownPath is a path as a report may show it. What does not begin like a path may be the secret
// itself, put behind …_file by mistake.
func shownPath(file string) string {
	if strings.HasPrefix(file, "/") || strings.HasPrefix(file, "./") || strings.HasPrefix(file, "../") {
		return fmt.Sprintf(" %q", file)
	}
	return ""
}

// reason is err without the path, which the caller names already.
func reason(err error) string {
	var perr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to read it: let the user that runs latchkey read it"
	case errors.As(err, &perr):
		return perr.Err.Error()
	default:
		return err.Error()
	}
}
