package recipe

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Bounds of metadata: what one subject may have, and how often an update is tried again when others change the same object.
const (
	maxMetadata   = 64 << 10
	metadataTries = 128
)

// Metadata gives a subject's object; an absent one is empty.
func (s *Service) Metadata(ctx context.Context, t *tenant.Tenant, name string) (json.RawMessage, error) {
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return nil, err
	}
	m, err := s.cfg.Metadatas.Load(ctx, t.ID, subject)
	if err == nil && m.Version == 0 {
		m.Data = json.RawMessage(`{}`)
	}
	return m.Data, err
}

// UpdateMetadata merges an update into a subject's object and gives the whole.
func (s *Service) UpdateMetadata(ctx context.Context, call *audit.Call, t *tenant.Tenant, name string, update json.RawMessage) (json.RawMessage, error) {
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return nil, err
	}
	for range metadataTries {
		from, err := s.cfg.Metadatas.Load(ctx, t.ID, subject)
		if err != nil {
			return nil, err
		}
		to := Metadata{}
		if to.Data, err = Merge(from.Data, update); err != nil {
			return nil, err
		}
		won, err := s.cfg.Metadatas.Swap(ctx, t.ID, subject, from, to, trail(call, EventMetadata, subject, ""))
		if err != nil || won {
			return to.Data, err
		}
	}
	return nil, fault.New(fault.Unavailable, fault.ReasonBusy, "too many change the same metadata").After(time.Second)
}

// RemoveMetadata deletes a subject's object.
func (s *Service) RemoveMetadata(ctx context.Context, call *audit.Call, t *tenant.Tenant, name string) error {
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return err
	}
	return s.cfg.Metadatas.Remove(ctx, t.ID, subject, trail(call, EventMetadata, subject, ""))
}

// Merge puts the members of update over those of an object, whole; one that is null takes the member away. Nulls deeper down stay. old may
// be empty for none.
func Merge(old, update json.RawMessage) (json.RawMessage, error) {
	all, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(old) > 0 {
		if err := json.Unmarshal(old, &all); err != nil {
			return nil, fault.From(err)
		}
	}
	if err := json.Unmarshal(update, &more); err != nil {
		return nil, fault.Wrap(fault.Invalid, fault.ReasonInvalid, "metadata must be a JSON object", err)
	}
	for name, value := range more {
		if bytes.Equal(value, []byte("null")) {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	out, err := json.Marshal(all)
	if err != nil {
		return nil, fault.From(err)
	}
	if len(out) > maxMetadata {
		return nil, fault.New(fault.TooLarge, fault.ReasonTooLarge, "the metadata of one user may have 64 KiB")
	}
	return out, nil
}
