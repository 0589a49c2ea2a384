package packed

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

var errStream = errors.New("packed: claims are not what their lengths say")

// deflaters are reused: a new one takes more than a megabyte and hashes the dictionary again.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(io.Discard, flate.BestCompression, dictionary)
	if err != nil { // only for a level that does not exist
		panic(err)
	}
	return w
}}

// deflate compresses claims. Level 9 costs no more than 5 on so little text.
func deflate(claims []byte) ([]byte, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	var buf bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&buf) // keeps the dictionary
	if _, err := w.Write(claims); err != nil {
		return nil, err
	}
	err := w.Close()
	return buf.Bytes(), err
}

// inflaters are reused for their windows.
var inflaters = sync.Pool{New: func() any { return flate.NewReaderDict(bytes.NewReader(nil), dictionary) }}

// inflate reads exactly size bytes; a stream that holds more or less is an error, found without
// reading on.
func inflate(stream []byte, size int) ([]byte, error) {
	if size == 0 && len(stream) == 0 {
		return nil, nil
	}
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(stream), dictionary); err != nil {
		return nil, err
	}
	claims := make([]byte, size+1)
	n, err := io.ReadFull(r, claims)
	if err != io.ErrUnexpectedEOF && err != io.EOF || n != size {
		return nil, errStream
	}
	return claims[:size], nil
}
