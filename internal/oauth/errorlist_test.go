package oauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// errorPackages are those whose errors can reach an endpoint.
var errorPackages = []string{"otp", "phone", "client", "login", "token", "outage", "sms", "statuslist", "session", "limit"}

// errorless are those of them that need not export any.
var errorless = map[string]bool{"session": true}

func TestEveryExportedErrorHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, row := range domainErrors {
		require.False(t, rows[row.name], "two rows for %s", row.name)
		rows[row.name] = true
	}
	for _, name := range errorPackages {
		found := exportedErrors(t, filepath.Join("..", name))
		require.True(t, errorless[name] || len(found) > 0, "no error found in %s: has it moved?", name)
		for _, each := range found {
			require.True(t, rows[name+"."+each], "domainErrors lacks a row for %s.%s", name, each)
			delete(rows, name+"."+each)
		}
	}
	for name := range rows {
		pkg, _, _ := strings.Cut(name, ".")
		require.NotContains(t, errorPackages, pkg, "the row %s is for an error that is no more", name)
	}
}

func TestExportedErrorsSeesEveryForm(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte(`package a
var ErrOne = f()
var (
	ErrTwo, other = f(), 1
	errHidden = f()
	Errand int
)
type (
	Error struct{}
	ThrottledError struct{}
)
type WaitError int
type hiddenError struct{}
func f() error { var ErrLocal error; return ErrLocal }
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\nvar ErrOfTest error\n"), 0o600))
	require.Equal(t, []string{"ErrOne", "ErrTwo", "Error", "ThrottledError", "WaitError"}, exportedErrors(t, dir))
}

// exportedErrors are the names of the Err… variables and …Error types that dir's package exports.
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			general, ok := declared.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						rest, is := strings.CutPrefix(name.Name, "Err")
						if is && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
							found = append(found, name.Name)
						}
					}
				case *ast.TypeSpec:
					if spec.Name.IsExported() && strings.HasSuffix(spec.Name.Name, "Error") {
						found = append(found, spec.Name.Name)
					}
				}
			}
		}
	}
	return found
}
