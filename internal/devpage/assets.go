package devpage

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

//go:embed assets
var assetFiles embed.FS

//go:embed templates
var templateFiles embed.FS

// assetsPath is where Register mounts the assets. The next part is assetsVersion, one for all of
// them, so that the scripts can import each other by relative names.
const assetsPath = "/dev/assets/"

// assetsVersion changes with any byte of any asset: what a browser keeps is never stale.
var assetsVersion = versionOf(assetFiles)

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"asset": func(name string) string { return assetsPath + assetsVersion + "/" + name },
}).ParseFS(templateFiles, "templates/*"))

// assetTypes are the kinds of asset there are. The system's table of types is not asked: it differs
// from machine to machine, and a script of the wrong type does not run under nosniff.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset serves GET /dev/assets/{version}/{name}. An old version is not found: a page that asks for
// it would mix two versions of the scripts.
func asset(c echo.Context) error {
	name := c.Param("name")
	body, err := assetFiles.ReadFile(path.Join("assets", path.Base(name)))
	if err != nil || c.Param("version") != assetsVersion {
		return echo.ErrNotFound
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, assetTypes[path.Ext(name)], body)
}

func versionOf(files fs.FS) string {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		sum.Write([]byte(name))
		sum.Write(body)
		return err
	})
	if err != nil {
		panic("devpage: embedded assets: " + err.Error()) // they are part of the binary
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}
