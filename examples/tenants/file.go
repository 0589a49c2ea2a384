package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// read reads the file; without one, the tenants are first.
func (d *directory) read(first []tenant) error {
	text, err := os.ReadFile(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		d.tenants = first
		return d.write(first)
	}
	if err == nil {
		err = json.Unmarshal(text, &d.tenants)
	}
	return err
}

// write makes tenants those of the file, whole or not at all.
func (d *directory) write(tenants []tenant) error {
	text, err := json.MarshalIndent(tenants, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(d.file+".new", d.file); err != nil {
		return err
	}
	d.tenants = tenants
	return nil
}
