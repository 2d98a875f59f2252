package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// masters gives the configured master keys; with dev and none configured, one that is kept in the data directory.
func (s site) masters() (secret.Masters, error) {
	var out secret.Masters
	for i, ref := range s.cfg.MasterKeys {
		m, err := secret.ParseMaster(ref.Value.Reveal())
		if err != nil {
			return nil, fmt.Errorf("master_keys[%d]: %w", i, err)
		}
		out = append(out, m)
	}
	if len(out) > 0 || !s.dev {
		return out, nil
	}
	text, err := keptSecret(filepath.Join(s.data, "master.key"), func() string { return base64.StdEncoding.EncodeToString(secret.Bytes(32)) })
	if err != nil {
		return nil, err
	}
	m, err := secret.ParseMaster(text)
	if err != nil {
		return nil, fmt.Errorf("master.key in the data directory: %w", err)
	}
	return secret.Masters{m}, nil
}

// keptSecret reads a secret from a file that only its owner may read, and makes it first when it is not there. Two servers that start at
// once agree: the file appears whole, and only once.
func keptSecret(path string, make func() string) (string, error) {
	raw, err := os.ReadFile(path) // #nosec G304 -- below the data directory
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(make() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	raw, err = os.ReadFile(path) // #nosec G304 -- below the data directory
	return strings.TrimSpace(string(raw)), err
}
