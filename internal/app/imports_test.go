package app_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/latchkey-id/latchkey/"

// layers say which way imports may point (ARCHITECTURE.md). A package that is in none is a mistake:
// it has to be thought of.
var layers = map[string][]string{
	"leaf":    {"internal/phone", "internal/tier", "internal/origin", "internal/rule", "internal/audit", "internal/client", "internal/outage", "internal/outbound", "internal/scope"},
	"domain":  {"internal/otp", "internal/directory", "internal/directory/hrfeed", "internal/account", "internal/keyring", "internal/token", "internal/session", "internal/sms", "internal/sms/wording", "internal/limit", "internal/spend", "internal/statuslist", "internal/verifier"},
	"usecase": {"internal/login", "internal/dispatch"},
	"adapter": {"internal/sms/twilio", "internal/sms/gateway", "internal/sms/inbox", "internal/store/sql", "internal/store/redis", "internal/keyring/kms"},
	"edge":    {"internal/oauth", "internal/admin", "internal/ops", "internal/httpserver", "internal/webhook", "internal/devpage", "internal/devpage/sample"},
	"top":     {"internal/config", "internal/app", "cmd/latchkey"},
	"public":  {"pkg/accesstoken"},
	"tests": {"internal/testservers", "internal/testservers/with", "internal/sms/twiliotest", "internal/otp/otptest", "internal/limit/limittest", "internal/spend/spendtest",
		"internal/directory/directorytest", "internal/keyring/keyringtest", "internal/keyring/kms/transittest", "internal/devpage/browsertest", "internal/app/bench", "internal/app/bench/bare"},
}

// allowed are the layers that a layer may import, and siblings of its own unless it is listed here.
var allowed = map[string][]string{
	"leaf":    {},
	"domain":  {"leaf", "public"},
	"usecase": {"leaf", "domain", "public"},
	"adapter": {"leaf", "domain", "usecase"},
	"edge":    {"leaf", "domain", "usecase", "edge"},
	"top":     {"leaf", "domain", "usecase", "adapter", "edge", "top"},
	"public":  {},
	"tests":   {"leaf", "domain", "usecase", "adapter", "edge", "top", "public", "tests"},
}

// outside are the modules that only some layers or packages may know.
var outside = map[string][]string{
	"net/http":                      {"internal/outbound", "adapter", "edge", "top", "tests"},
	"github.com/labstack/echo":      {"edge", "tests"},
	"gorm.io/":                      {"internal/store/sql"},
	"github.com/redis/go-redis":     {"internal/store/redis", "internal/app", "tests"},
	"github.com/twilio/":            {"internal/sms/twilio", "tests"},
	"github.com/lestrrat-go/jwx":    {"internal/keyring", "tests"},
	"gocloud.dev/":                  {"internal/keyring/kms"},
	"github.com/hashicorp/":         {"internal/keyring/kms"},
	"github.com/nyaruka/":           {"internal/phone"},
	"go.yaml.in/":                   {"internal/config", "tests"},
	"github.com/alecthomas/kong":    {"internal/app"},
	"github.com/prometheus/":        {"internal/ops"},
	"github.com/getkin/kin-openapi": {"internal/sms/twiliotest"},
	"testing":                       {"tests"},
}

// partOf reports the packages that a domain package may import although they are of its own layer: a
// part of it that has a folder of its own.
func partOf(of, pkg string) bool {
	return strings.HasPrefix(pkg, of+"/") || strings.HasPrefix(of, pkg+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	layerOf := map[string]string{}
	for layer, packages := range layers {
		for _, pkg := range packages {
			layerOf[pkg] = layer
		}
	}
	seen := map[string]bool{}
	root := "../.."
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", "testdata", ".git"}, entry.Name()) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(relative)
		layer, known := layerOf[pkg]
		if !known {
			t.Errorf("%s is in no layer: decide where it belongs, here and in ARCHITECTURE.md", pkg)
			return nil
		}
		seen[pkg] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			checkImport(t, path.Join(pkg, filepath.Base(file)), pkg, layer, name, layerOf)
		}
		return nil
	})
	require.NoError(t, err)
	for pkg := range layerOf {
		if !seen[pkg] {
			t.Errorf("%s is in a layer and does not exist", pkg)
		}
	}
}

func checkImport(t *testing.T, file, pkg, layer, name string, layerOf map[string]string) {
	t.Helper()
	if own, ok := strings.CutPrefix(name, module); ok {
		to := layerOf[own]
		if own == "internal/config" && pkg != "internal/app" && layer != "tests" {
			t.Errorf("%s imports config: only app does, everyone else is handed values", file)
		}
		if !slices.Contains(allowed[layer], to) && !partOf(pkg, own) {
			t.Errorf("%s (%s) imports %s (%s)", file, layer, own, to)
		}
		return
	}
	for prefix, who := range outside {
		if strings.HasPrefix(name, prefix) && !slices.Contains(who, layer) && !slices.Contains(who, pkg) {
			t.Errorf("%s imports %s, which only %v may", file, name, who)
		}
	}
}
