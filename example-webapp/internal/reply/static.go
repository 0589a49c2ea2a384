package reply

import (
	"bytes"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// Static serves the files of the folder static: the same for all users, so that caches may keep
// them for a while. Only names that were there when the program was built are looked up, so that no
// path leads elsewhere; notFound answers the others.
func Static(files fs.FS, notFound http.HandlerFunc) http.Handler {
	known := readStatic(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/static/")
		data, ok := known[name]
		if !ok {
			notFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
}

// readStatic returns the embedded files by name.
//
// They are a few kilobytes, so that holding them costs less than opening them.
func readStatic(files fs.FS) map[string][]byte {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		panic(err)
	}
	known := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if known[entry.Name()], err = fs.ReadFile(files, "static/"+entry.Name()); err != nil {
			panic(err)
		}
	}
	return known
}
