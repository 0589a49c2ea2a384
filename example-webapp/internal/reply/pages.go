package reply

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/http"
	"path"
)

// Pages are templates by file name, each inside the layout. html/template escapes by context (text,
// attribute, URL). Safe for concurrent use.
type Pages map[string]*template.Template

// ParsePages reads templates/*.html, each one inside templates/layout.html, and panics when one is
// broken: it is seen at the start and not by the first visitor.
//
// The layout is cloned for each page, since blocks of the same name would otherwise replace one
// another.
func ParsePages(files fs.FS, functions template.FuncMap) Pages {
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	pages := make(Pages, len(names))
	for _, name := range names {
		pages[path.Base(name)] = template.Must(template.Must(layout.Clone()).ParseFS(files, name))
	}
	return pages
}

// Write writes a whole page or, when its template fails, nothing of it.
//
// It goes through a buffer: a template that fails in the middle would else leave half a page under
// a status of 200.
func (p Pages) Write(w http.ResponseWriter, status int, name string, data any) {
	var buf bytes.Buffer
	if err := p[name].Execute(&buf, data); err != nil {
		http.Error(w, "The page can't be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(buf.Bytes())
}
